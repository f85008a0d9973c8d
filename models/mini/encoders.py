"""The two perception encoders of `mini`: EfficientNet-Lite2 for frames, YAMNet for sound.

Knows how a 260 x 260 frame or a log-mel patch becomes a map of features and class logits. Does not
know where the weights come from (models/weights.py) or what a language model makes of the maps.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.omni import SAMPLE_RATE

IMAGENET_CLASSES = tuple((Path(__file__).parent / "imagenet_classes.txt").read_text().splitlines())  # 1,000
AUDIOSET_CLASSES = tuple((Path(__file__).parent / "audioset_classes.txt").read_text().splitlines())  # 521

FRAME_SIZE = 260  # pixels, both sides
FRAME_GRID = 7  # rows and columns of tokens; the feature map's 9 x 9 places are pooled to them
VISION_FEATURES = 1280

WINDOW = SAMPLE_RATE * 25 // 1000  # 400 samples, 25 ms
HOP = SAMPLE_RATE * 10 // 1000  # 160 samples, 10 ms
FFT = 512  # next power of two above WINDOW
MELS, MEL_LOW, MEL_HIGH = 64, 125.0, 7500.0  # bands, Hz, Hz
LOG_OFFSET = 1e-3
PATCH_FRAMES = 96  # log-mel frames a patch
PATCH_SECONDS = PATCH_FRAMES * HOP / SAMPLE_RATE  # 0.96 s
PATCH_TIMES, PATCH_BANDS = 3, 2  # last feature map of a patch: 96 / 32 by 64 / 32
SOUND_FEATURES = 1024


class SameConv2d(nn.Conv2d):
    """Convolution padded as TensorFlow's SAME: at stride 2 the odd pixel goes right and below."""

    def forward(self, x: Tensor) -> Tensor:
        pads = []
        for size, kernel, stride in zip(x.shape[:-3:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        left, right, top, bottom = pads
        even = left == right and top == bottom
        x = x if even else F.pad(x, pads)  # a copy, also where there is nothing to pad
        return F.conv2d(x, self.weight, self.bias, self.stride, (top, left) if even else 0, groups=self.groups)


class InvertedResidual(nn.Module):
    """MobileNetV2 block with ReLU6 and no squeeze-excite, batch norms folded into the convolutions."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        hidden = inputs * expansion
        self.expand = SameConv2d(inputs, hidden, 1) if expansion > 1 else None
        self.depthwise = SameConv2d(hidden, hidden, kernel, stride, groups=hidden)
        self.project = SameConv2d(hidden, outputs, 1)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.skips else y


class EfficientNetLite2(nn.Module):
    """EfficientNet-Lite2, ImageNet-1k: frames to a 7 x 7 map of 1,280 features and 1,000 logits."""

    STAGES = (  # outputs, kernel, stride, expansion, repeats: Lite0's, 1.1 times as wide and 1.2 times as deep
        (16, 3, 1, 1, 1), (24, 3, 2, 6, 3), (48, 5, 2, 6, 3), (88, 3, 2, 6, 4),
        (120, 5, 1, 6, 4), (208, 5, 2, 6, 5), (352, 3, 1, 6, 1),
    )  # fmt: skip

    def __init__(self):
        super().__init__()
        self.stem = SameConv2d(3, 32, 3, 2)
        blocks, width = [], 32
        for outputs, kernel, stride, expansion, repeats in self.STAGES:
            for i in range(repeats):
                blocks.append(InvertedResidual(width, outputs, kernel, stride if i == 0 else 1, expansion))
                width = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = SameConv2d(width, VISION_FEATURES, 1)
        self.classifier = nn.Linear(VISION_FEATURES, len(IMAGENET_CLASSES))

    def forward(self, frames: Tensor) -> Tensor:
        """N x 3 x 260 x 260 RGB in 0..255 -> N x 7 x 7 x 1280 features."""
        dtype = self.stem.weight.dtype
        x = ((frames.to(torch.float32) - 127.0) / 128.0).to(dtype)
        x = F.relu6(self.stem(x.contiguous(memory_format=torch.channels_last)), inplace=True)
        x = F.relu6(self.head(self.blocks(x)), inplace=True)
        return F.adaptive_avg_pool2d(x, FRAME_GRID).permute(0, 2, 3, 1)

    def logits(self, features: Tensor) -> Tensor:
        """... x 1280 -> ... x 1000: the classifier, applied location by location."""
        return self.classifier(features)


def fold_efficientnet(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published EfficientNet-Lite2 state dict -> EfficientNetLite2's, batch norms folded in (eps 1e-3)."""
    folded = {"classifier.weight": state["_fc.weight"], "classifier.bias": state["_fc.bias"]}

    def fold(target: str, conv: str, norm: str) -> None:
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + 1e-3)
        folded[f"{target}.weight"] = state[f"{conv}.weight"] * scale[:, None, None, None]
        folded[f"{target}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale

    fold("stem", "_conv_stem", "_bn0")
    fold("head", "_conv_head", "_bn1")
    for i in range(sum(stage[-1] for stage in EfficientNetLite2.STAGES)):
        block, new = f"_blocks.{i}", f"blocks.{i}"
        if f"{block}._expand_conv.weight" in state:
            fold(f"{new}.expand", f"{block}._expand_conv", f"{block}._bn0")
        fold(f"{new}.depthwise", f"{block}._depthwise_conv", f"{block}._bn1")
        fold(f"{new}.project", f"{block}._project_conv", f"{block}._bn2")
    return {name: tensor.contiguous() for name, tensor in folded.items()}


class YAMNet(nn.Module):
    """YAMNet, AudioSet-521: log-mel patches to a 3 x 2 (time x band) map of 1,024 features and 521 logits."""

    WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)

    def __init__(self):
        super().__init__()
        convolutions, width = [SameConv2d(1, 32, 3, 2)], 32
        for outputs, stride in zip(self.WIDTHS, self.STRIDES, strict=True):
            convolutions += [SameConv2d(width, width, 3, stride, groups=width), SameConv2d(width, outputs, 1)]
            width = outputs
        self.convolutions = nn.ModuleList(convolutions)
        self.classifier = nn.Linear(SOUND_FEATURES, len(AUDIOSET_CLASSES))

    def forward(self, patches: Tensor) -> Tensor:
        """N x 96 x 64 log-mel patches -> N x 3 x 2 x 1024 features."""
        x = patches[:, None].to(self.convolutions[0].weight.dtype)
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
        return x.permute(0, 2, 3, 1)

    def logits(self, features: Tensor) -> Tensor:
        """... x 1024 -> ... x 521: the classifier, applied location by location."""
        return self.classifier(features)


def port_yamnet(path: Path) -> dict[str, Tensor]:
    """YAMNet's ONNX graph -> YAMNet's state dict: the float32 weights behind the quantise pairs, in graph order."""
    import onnx  # only the first start needs it
    from onnx import numpy_helper

    model = onnx.load(str(path))
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}

    def constant(name: str) -> Tensor:
        while name not in constants:  # walk back through QuantizeLinear and DequantizeLinear
            name = makers[name].input[0]
        return torch.from_numpy(numpy_helper.to_array(constants[name], base_dir=str(path.parent)).copy())

    layers = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    names = [f"convolutions.{i}" for i in range(len(layers) - 1)] + ["classifier"]
    state = {}
    for name, node in zip(names, layers, strict=True):
        state[f"{name}.weight"], state[f"{name}.bias"] = constant(node.input[1]), constant(node.input[2])
    return state


@cache
def mel_filters() -> np.ndarray:
    """Triangular HTK mel filters, float32, (FFT / 2 + 1) x MELS, as in YAMNet's features.py."""

    def mel(hertz):
        return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)

    bins = mel(np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1))[:, None]
    edges = np.linspace(mel(MEL_LOW), mel(MEL_HIGH), MELS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    filters = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    filters[0] = 0.0  # no energy from the constant part
    return filters.astype(np.float32)


def log_mel(waveform: np.ndarray) -> np.ndarray:
    """float32 waveform at 16 kHz -> float32 log-mel frames, T x 64, one each 10 ms (none below 25 ms)."""
    if len(waveform) < WINDOW:
        return np.zeros((0, MELS), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(waveform, WINDOW)[::HOP]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    magnitudes = np.abs(np.fft.rfft(windows * hann, FFT)).astype(np.float32)
    return np.log(magnitudes @ mel_filters() + LOG_OFFSET)


def sound_patches(waveform: np.ndarray) -> np.ndarray:
    """float32 waveform at 16 kHz -> float32 patches, P x 96 x 64, side by side; the last is padded with silence.

    A remainder shorter than a third of a patch (one audio token) is left out, unless it is all there is.
    """
    token = PATCH_FRAMES // PATCH_TIMES * HOP
    whole, rest = divmod(len(waveform), PATCH_FRAMES * HOP)
    patches = whole + (rest >= token or whole == 0)
    samples = patches * PATCH_FRAMES * HOP + WINDOW - HOP
    padded = np.zeros(samples, np.float32)
    kept = waveform[:samples]
    padded[: len(kept)] = kept
    return log_mel(padded).reshape(patches, PATCH_FRAMES, MELS)
