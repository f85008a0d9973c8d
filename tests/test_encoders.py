"""The ported encoders equal their originals and know what they see and hear."""

import numpy as np
import pytest
import torch

from models.mini.encoders import (
    AUDIOSET_CLASSES,
    IMAGENET_CLASSES,
    MEL_HIGH,
    MEL_LOW,
    PATCH_SECONDS,
    SAMPLE_RATE,
    EfficientNetLite2,
    SameConv2d,
    YAMNet,
    log_mel,
    mel_filters,
    sound_patches,
)


@pytest.fixture(scope="module")
def encoders():
    from models.mini.features import load_encoders

    return load_encoders()


def test_class_lists_have_their_published_lengths():
    assert len(IMAGENET_CLASSES) == 1000 and IMAGENET_CLASSES[401] == "accordion"
    assert len(AUDIOSET_CLASSES) == 521 and AUDIOSET_CLASSES[0] == "Speech"


def test_shapes_without_weights():
    assert EfficientNetLite2()(torch.zeros(1, 3, 260, 260)).shape == (1, 7, 7, 1280)
    assert YAMNet()(torch.zeros(2, 96, 64)).shape == (2, 3, 2, 1024)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(65, 64), (130, 33), (7, 9)])
def test_convolutions_are_padded_as_tensorflow_does_it(kernel, stride, size):
    convolution, given = SameConv2d(2, 3, kernel, stride), torch.randn(1, 2, *size)
    pads = []
    for side in reversed(size):  # W, then H; the odd pixel goes right and below
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads += [total // 2, total - total // 2]
    padded = torch.nn.functional.pad(given, pads)
    expected = torch.nn.functional.conv2d(padded, convolution.weight, convolution.bias, stride)
    assert expected.shape[-2:] == tuple(-(-side // stride) for side in size)
    torch.testing.assert_close(convolution(given), expected)


def test_a_tone_lights_the_band_it_lies_in():
    for hertz in (300.0, 1000.0, 4000.0):
        wave = np.sin(2 * np.pi * hertz * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
        band = log_mel(wave).mean(0).argmax()
        centre = mel_filters()[:, band].argmax() * SAMPLE_RATE / 512
        assert abs(centre - hertz) < 0.08 * hertz + 16
    assert mel_filters().shape == (257, 64) and MEL_LOW < MEL_HIGH


@pytest.mark.parametrize(("seconds", "patches"), [(0.01, 1), (0.96, 1), (1.2, 1), (1.3, 2), (10.0, 11)])
def test_patches_cover_the_sound(seconds, patches):
    found = sound_patches(np.zeros(int(seconds * SAMPLE_RATE), np.float32))
    assert found.shape == (patches, 96, 64) and patches * PATCH_SECONDS >= seconds - PATCH_SECONDS / 3


@pytest.mark.mini
def test_yamnet_equals_the_original_graph(encoders):
    """onnxruntime on the original graph, its quantise pairs taken out, as the port takes them out."""
    ort = pytest.importorskip("onnxruntime")
    import onnx

    from models.weights import fetch

    model = onnx.load(str(fetch("yamnet") / "model.onnx"))
    session = ort.InferenceSession(unquantised(onnx, model).SerializeToString())
    patches = sound_patches(np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE).astype(np.float32) * 0.1)
    _, yamnet = encoders
    with torch.inference_mode():
        ours = yamnet.logits(yamnet(torch.from_numpy(patches))).mean((1, 2)).numpy()
    theirs = np.concatenate([session.run(None, {"audio": patch[None, None]})[0].reshape(1, -1) for patch in patches])
    assert np.abs(ours - theirs).max() < 1e-3


def unquantised(onnx, model):
    """The graph without QuantizeLinear / DequantizeLinear: each reads what the pair read."""
    source = {}
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            source[node.output[0]] = source.get(node.input[0], node.input[0])
    kept = [n for n in model.graph.node if n.op_type not in ("QuantizeLinear", "DequantizeLinear")]
    for node in kept:
        for i, name in enumerate(node.input):
            node.input[i] = source.get(name, name)
    for output in model.graph.output:
        output.name = source.get(output.name, output.name)
        output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for given in model.graph.input:
        given.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    del model.graph.node[:]
    del model.graph.value_info[:]
    model.graph.node.extend(kept)
    return model


@pytest.mark.mini
def test_the_gallery_is_recognised(encoders):
    """Both encoders rank a class of the right family among the first ten for most gallery clips."""
    from assets.recipes import RECIPES
    from demo.clips import gallery, read_clip
    from models.mini.processing import square

    vision, sound = encoders
    chosen = {recipe.id for recipe in RECIPES if not recipe.own_sound}  # films stay whatever the encoders make of them
    clips = [clip for clip in gallery() if clip.id in chosen]
    if not clips:
        pytest.skip("no gallery")
    named = 0
    with torch.inference_mode():
        for entry in clips:
            clip = read_clip(entry.path)
            pixels = torch.from_numpy(square(clip.frames[:2])).permute(0, 3, 1, 2)
            pictures = vision.logits(vision(pixels)).softmax(-1).mean((0, 1, 2)).topk(10).indices
            sounds = sound.logits(sound(torch.from_numpy(sound_patches(clip.waveform)))).sigmoid().mean((0, 1, 2))
            words = {w for i in pictures for w in IMAGENET_CLASSES[i].lower().replace(",", " ").split()}
            words |= {w for i in sounds.topk(10).indices for w in AUDIOSET_CLASSES[i].lower().replace(",", " ").split()}
            named += any(part in words for part in entry.seen.split())
    assert named >= 0.7 * len(clips)
