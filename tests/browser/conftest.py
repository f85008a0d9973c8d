"""The model behind the pages. Knows nothing of pages."""

import pytest

from tests.serving import model


@pytest.fixture(scope="module")
def answering():
    """The fake model, or the real one with MCGURK_TEST_MODEL=mini; tests may let the fake one answer sooner."""
    return model()
