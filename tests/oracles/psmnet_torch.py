"""PSMNet in PyTorch, for inference, straight from the paper's tables: an oracle for the Keras one.

Channels first, one disparity at a time, PyTorch's own upsampling: nothing in common with
`teachers.psmnet`. Parameters bear the names of the authors' checkpoints.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

# On a busy machine several threads spend three times the work waiting for each other.
torch.set_num_threads(1)


def unit(
    conv: type[nn.Module], norm: type[nn.Module], c_in: int, c_out: int, **kw: Any
) -> nn.Sequential:
    """Convolution and normalisation: entries `0` and `1`."""
    return nn.Sequential(conv(c_in, c_out, bias=False, **kw), norm(c_out))


def unit2(c_in: int, c_out: int, k: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    padding = dilation if k == 3 else 0
    return unit(
        nn.Conv2d,
        nn.BatchNorm2d,
        c_in,
        c_out,
        kernel_size=k,
        stride=stride,
        padding=padding,
        dilation=dilation,
    )


def unit3(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    return unit(nn.Conv3d, nn.BatchNorm3d, c_in, c_out, kernel_size=3, stride=stride, padding=1)


def up3(c_in: int, c_out: int) -> nn.Sequential:
    return unit(
        nn.ConvTranspose3d,
        nn.BatchNorm3d,
        c_in,
        c_out,
        kernel_size=3,
        stride=2,
        padding=1,
        output_padding=1,
    )


def then_relu(*modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(*modules, nn.ReLU())


class Residual(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = then_relu(unit2(c_in, c_out, stride=stride, dilation=dilation))
        self.conv2 = unit2(c_out, c_out, dilation=dilation)
        if stride > 1 or c_in != c_out:
            self.downsample = unit2(c_in, c_out, k=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.conv1(x))
        return y + (self.downsample(x) if hasattr(self, "downsample") else x)


def stage(c_in: int, c_out: int, count: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    first = Residual(c_in, c_out, stride, dilation)
    return nn.Sequential(
        first, *(Residual(c_out, c_out, dilation=dilation) for _ in range(count - 1))
    )


class Features(nn.Module):
    def __init__(self, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.firstconv = then_relu(
            unit2(3, 32, stride=2), nn.ReLU(), unit2(32, 32), nn.ReLU(), unit2(32, 32)
        )
        self.layer1 = stage(32, 32, 3)
        self.layer2 = stage(32, 64, 16, stride=2)
        self.layer3 = stage(64, 128, 3)
        self.layer4 = stage(128, 128, 3, dilation=2)
        for index, side in enumerate((64, 32, 16, 8), start=1):
            branch = then_relu(nn.AvgPool2d(side, stride=side), unit2(128, 32, k=1))
            setattr(self, f"branch{index}", branch)
        self.lastconv = nn.Sequential(
            unit2(320, 128), nn.ReLU(), nn.Conv2d(128, 32, kernel_size=1, bias=False)
        )

    def forward(self, image: Tensor) -> Tensor:
        raw = self.layer2(self.layer1(self.firstconv(image)))
        deep = self.layer4(self.layer3(raw))
        levels = [
            functional.interpolate(
                getattr(self, f"branch{index}")(deep),
                size=deep.shape[2:],
                mode="bilinear",
                align_corners=self.align_corners,
            )
            for index in (4, 3, 2, 1)
        ]
        return self.lastconv(torch.cat([raw, deep, *levels], dim=1))


class Hourglass(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = then_relu(unit3(32, 64, stride=2))
        self.conv2 = unit3(64, 64)
        self.conv3 = then_relu(unit3(64, 64, stride=2))
        self.conv4 = then_relu(unit3(64, 64))
        self.conv5 = up3(64, 64)
        self.conv6 = up3(64, 32)

    def forward(
        self, x: Tensor, first_down: Tensor | None, last_up: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        down = self.conv2(self.conv1(x))
        down = torch.relu(down if last_up is None else down + last_up)
        up = self.conv5(self.conv4(self.conv3(down)))
        up = torch.relu(up + (down if first_down is None else first_down))
        return self.conv6(up), down, up


class PsmnetOracle(nn.Module):
    """Inputs `[b, 3, h, w]`, output `[b, h, w]` px, or all three in a list."""

    def __init__(self, *, max_disparity_px: int, align_corners: bool) -> None:
        super().__init__()
        self.max_disparity_px = max_disparity_px
        self.align_corners = align_corners
        self.feature_extraction = Features(align_corners)
        self.dres0 = then_relu(unit3(64, 32), nn.ReLU(), unit3(32, 32))
        self.dres1 = nn.Sequential(unit3(32, 32), nn.ReLU(), unit3(32, 32))
        self.dres2, self.dres3, self.dres4 = Hourglass(), Hourglass(), Hourglass()
        for index in (1, 2, 3):
            head = nn.Sequential(
                unit3(32, 32),
                nn.ReLU(),
                nn.Conv3d(32, 1, kernel_size=3, padding=1, bias=False),
            )
            setattr(self, f"classif{index}", head)

    def volume(self, left: Tensor, right: Tensor) -> Tensor:
        b, c, h, w = left.shape
        volume = left.new_zeros(b, 2 * c, self.max_disparity_px // 4, h, w)
        for d in range(min(self.max_disparity_px // 4, w)):
            volume[:, :c, d, :, d:] = left[..., d:]
            volume[:, c:, d, :, d:] = right[..., : w - d]
        return volume

    def forward(self, left: Tensor, right: Tensor, *, all_outputs: bool = False) -> Any:
        x = self.dres0(self.volume(self.feature_extraction(left), self.feature_extraction(right)))
        x = x + self.dres1(x)
        out1, down, up1 = self.dres2(x, None, None)
        out1 = out1 + x
        out2, _, up2 = self.dres3(out1, down, up1)
        out2 = out2 + x
        out3, _, _ = self.dres4(out2, down, up2)
        out3 = out3 + x
        score1 = self.classif1(out1)
        score2 = self.classif2(out2) + score1
        score3 = self.classif3(out3) + score2
        size = (self.max_disparity_px, *left.shape[2:])
        if all_outputs:
            return [self.disparity(score, size) for score in (score1, score2, score3)]
        return self.disparity(score3, size)

    def disparity(self, score: Tensor, size: tuple[int, ...]) -> Tensor:
        score = functional.interpolate(
            score, size=size, mode="trilinear", align_corners=self.align_corners
        )
        index = torch.arange(self.max_disparity_px, dtype=score.dtype, device=score.device)
        return torch.einsum("bdhw,d->bhw", score.squeeze(1).softmax(1), index)


def random_state(seed: int) -> dict[str, Tensor]:
    """Weights of every name, sized so that signals keep their scale and the argmin is sharp."""
    rng = np.random.default_rng(seed)
    state = {}
    for name, tensor in PsmnetOracle(max_disparity_px=16, align_corners=True).state_dict().items():
        shape = tuple(tensor.shape)
        if name.endswith("num_batches_tracked"):
            state[name] = tensor
        elif name.endswith("running_var"):
            state[name] = torch.from_numpy(rng.uniform(0.5, 1.5, shape).astype(np.float32))
        elif len(shape) == 1:
            middle = 0.5 if name.endswith("weight") else 0.0
            values = middle + 0.1 * rng.standard_normal(shape)
            state[name] = torch.from_numpy(values.astype(np.float32))
        else:
            gain = 6.0 if shape[0] == 1 else 1.0
            values = gain * rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
            state[name] = torch.from_numpy(values.astype(np.float32))
    return state
