#!/usr/bin/env python3
"""Golden values from PyTorch for the layers (test/nn/layers.test.ts), into test/nn/golden.safetensors.

Usage: pip install -r scripts/golden-requirements.txt; scripts/golden-nn.py

Of each case the file holds <case>/input, <case>/output, <case>/state/<name> (the weights, in needletail's layout) and, where
the layer changes its buffers, <case>/after/<name>.
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / 'test/nn/golden.safetensors'
NAMES = {'running_mean': 'runningMean', 'running_var': 'runningVariance'}


def channels_last(x):
    return x.movedim(1, -1) if x.dim() > 2 else x


def channels_first(x):
    return x.movedim(-1, 1) if x.dim() > 2 else x


def state_of(layer):
    """The layer's state under needletail's names. The second axis of convolution weights, transposed ones too, goes last."""
    state = {}
    for name, value in layer.state_dict().items():
        if name.endswith('num_batches_tracked'):
            continue
        if value.dim() > 2:
            value = value.movedim(1, -1)
        prefix, _, last = name.rpartition('.')
        state[f'{prefix}.{NAMES.get(last, last)}' if prefix else NAMES.get(last, last)] = value.clone()
    return state


class Flatten(nn.Flatten):
    """In the order of channels-last memory."""

    def forward(self, x):
        return super().forward(channels_last(x))


class GlobalAvgPool(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


class GlobalMaxPool(nn.Module):
    def forward(self, x):
        return x.amax((2, 3))


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def image(layer, shape=(2, 7, 6, 3)):
    return layer, shape, True


def plain(layer, shape=(4, 6)):
    return layer, shape, False


CASES = {
    'linear': lambda: plain(nn.Linear(6, 5)),
    'linear without bias': lambda: plain(nn.Linear(6, 5, bias=False), (2, 3, 6)),
    'linear relu': lambda: plain(nn.Sequential(nn.Linear(6, 5), nn.ReLU())),
    'linear tanh': lambda: plain(nn.Sequential(nn.Linear(6, 5), nn.Tanh())),
    'conv2d': lambda: image(nn.Conv2d(3, 4, 3)),
    'conv2d same relu': lambda: image(nn.Sequential(nn.Conv2d(3, 4, 3, padding='same'), nn.ReLU())),
    'conv2d stride dilation': lambda: image(nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(2, 1))),
    'conv2d groups': lambda: image(nn.Conv2d(4, 6, 3, groups=2, bias=False), (2, 5, 5, 4)),
    'conv2d silu': lambda: image(nn.Sequential(nn.Conv2d(3, 4, 1), nn.SiLU())),
    'conv1d': lambda: image(nn.Conv1d(3, 4, 3, stride=2, padding=1), (2, 9, 3)),
    'convTranspose2d': lambda: image(nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1)),
    'maxPool2d': lambda: image(nn.MaxPool2d(2)),
    'maxPool2d stride': lambda: image(nn.MaxPool2d(3, stride=2, padding=1)),
    'avgPool2d': lambda: image(nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)),
    'avgPool2d padding': lambda: image(nn.AvgPool2d((3, 2), stride=2, padding=1, count_include_pad=True)),
    'maxPool1d': lambda: image(nn.MaxPool1d(3, stride=2, padding=1), (2, 9, 3)),
    'avgPool1d': lambda: image(nn.AvgPool1d(2), (2, 9, 3)),
    'globalAvgPool2d': lambda: image(GlobalAvgPool()),
    'globalMaxPool2d': lambda: image(GlobalMaxPool()),
    'adaptiveAvgPool2d even': lambda: image(nn.AdaptiveAvgPool2d((2, 4)), (2, 6, 8, 3)),
    'adaptiveAvgPool2d uneven': lambda: image(nn.AdaptiveAvgPool2d((3, 5))),
    'adaptiveAvgPool2d larger': lambda: image(nn.AdaptiveAvgPool2d(6), (2, 4, 1, 3)),
    'adaptiveAvgPool2d one': lambda: image(nn.AdaptiveAvgPool2d(1)),
    'adaptiveMaxPool2d even': lambda: image(nn.AdaptiveMaxPool2d((2, 4)), (2, 6, 8, 3)),
    'adaptiveMaxPool2d uneven': lambda: image(nn.AdaptiveMaxPool2d((3, 5))),
    'adaptiveMaxPool2d larger': lambda: image(nn.AdaptiveMaxPool2d(6), (2, 4, 1, 3)),
    'batchNorm training': lambda: image(nn.BatchNorm2d(3, momentum=0.3)),
    'batchNorm': lambda: image(nn.BatchNorm2d(3).eval()),
    'batchNorm flat': lambda: plain(nn.BatchNorm1d(6, eps=1e-3)),
    'layerNorm': lambda: plain(nn.LayerNorm(6)),
    'layerNorm axes': lambda: plain(nn.LayerNorm((3, 6)), (2, 3, 6)),
    'groupNorm': lambda: image(nn.GroupNorm(2, 6), (2, 5, 4, 6)),
    'instanceNorm': lambda: image(nn.InstanceNorm2d(3, affine=True)),
    'rmsNorm': lambda: plain(nn.RMSNorm(6, eps=1e-5)),
    'flatten': lambda: image(Flatten()),
    'relu': lambda: plain(nn.ReLU()),
    'gelu': lambda: plain(nn.GELU()),
    'sigmoid': lambda: plain(nn.Sigmoid()),
    'tanh': lambda: plain(nn.Tanh()),
    'silu': lambda: plain(nn.SiLU()),
    'softplus': lambda: plain(nn.Softplus()),
    'elu': lambda: plain(nn.ELU(0.7)),
    'leakyRelu': lambda: plain(nn.LeakyReLU(0.2)),
    'relu6': lambda: plain(nn.ReLU6()),
    'hardSigmoid': lambda: plain(nn.Hardsigmoid()),
    'hardSwish': lambda: plain(nn.Hardswish()),
    'mish': lambda: plain(nn.Mish()),
    'selu': lambda: plain(nn.SELU()),
    'prelu': lambda: plain(nn.PReLU()),
    'softmax': lambda: plain(nn.Softmax(-1)),
    'logSoftmax': lambda: plain(nn.LogSoftmax(-1)),
    'residual': lambda: image(Residual(nn.Conv2d(3, 4, 3, padding='same'), nn.Conv2d(3, 4, 1))),
    'network': lambda: image(
        nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 4, 3, padding='same'), nn.ReLU()), nn.MaxPool2d(2), Flatten(),
            nn.Sequential(nn.Linear(36, 8), nn.ReLU()), nn.Linear(8, 2))),
}


def randomise(layer):
    """Norms begin with ones and zeros, which would hide a mistake."""
    with torch.no_grad():
        for name, value in [*layer.named_parameters(), *layer.named_buffers()]:
            if value.is_floating_point():
                value.uniform_(0.3, 1.7) if 'var' in name else value.add_(torch.randn(value.shape) * 0.2)


def main():
    tensors = {}
    for seed, (name, make) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        layer, shape, channels = make()
        randomise(layer)
        layer.double()
        x = torch.randn(shape).double()
        state = state_of(layer)
        y = layer(channels_first(x) if channels else x)
        y = channels_last(y) if channels else y
        after = {key: value for key, value in state_of(layer).items() if not torch.equal(value, state[key])}
        # `Sequential(layer, activation)` is one layer with an option in needletail.
        inner = lambda key: key.replace('.0.', '.') if name == 'network' else key.removeprefix('0.')
        tensors[f'{name}/input'], tensors[f'{name}/output'] = x, y
        tensors.update({f'{name}/state/{inner(key)}': value for key, value in state.items()})
        tensors.update({f'{name}/after/{inner(key)}': value for key, value in after.items()})
    torch.manual_seed(99)
    embedding, indices = nn.Embedding(7, 3), torch.tensor([[0, 6], [3, 3]])
    tensors['embedding/state/weight'], tensors['embedding/input'] = embedding.weight, indices
    tensors['embedding/output'] = embedding(indices)
    stored = {key: value.detach().to(torch.float32 if value.is_floating_point() else torch.int32).contiguous()
              for key, value in tensors.items()}
    save_file(stored, GOLDEN)
    print(f'golden: {len(CASES) + 1} layers, {GOLDEN.stat().st_size} bytes')


main()
