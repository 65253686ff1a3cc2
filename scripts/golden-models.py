#!/usr/bin/env python3
"""Golden values from PyTorch for the networks of `models` (test/models/parity.test.ts), into test/models/golden.safetensors.

Usage: pip install -r scripts/golden-requirements.txt; scripts/golden-models.py

The networks are torchvision's own (LeNet, which it lacks, is written out). Weights, pictures and labels come from the hash of
test/training/support.ts: the test makes them anew, in PyTorch's names and layout, and reads them as it would torchvision's file. Computed in
float64. Of each network the file holds <network>/outputs in use, <network>/losses of ten steps of SGD, and of the first step's gradients
<network>/norms and <network>/samples (1,000 of each or all, one after the other); its metadata hold the names, shapes and sizes.
"""
import json
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

# PyPI's torchvision has kernels for PyPI's torch; beside a build for the CPU alone they don't load, and what it says of them fails.
if torch.version.cuda is None:
    declared = torch.library.Library('torchvision', 'DEF')
    for kernel in ('nms', 'qnms'):
        declared.define(f'{kernel}(Tensor boxes, Tensor scores, float threshold) -> Tensor')
from torchvision import models

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / 'test/models/golden.safetensors'
STEPS = 10


def mixed(seed, count):
    h = (np.arange(count, dtype=np.uint32) + np.uint32(seed * 0x9E3779B1 & 0xFFFFFFFF)).astype(np.uint32)
    h ^= h >> 16
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> 13
    h *= np.uint32(0xC2B2AE35)
    return h ^ (h >> 16)


def numbers(seed, shape):
    """Multiples of 2^-7 in [-1, 1)."""
    return torch.tensor((mixed(seed, int(np.prod(shape))) >> 24).astype(np.float32).reshape(shape) / 128 - 1)


def value(name, seed, shape):
    """
    Numbers that float16 holds exactly: weights within a power of 2 near sqrt(6 / inputs), as He et al. 2015 draw them. Norms are far below 1,
    so that the gradients of a deep network stay moderate.
    """
    values = numbers(seed, shape)
    if name.endswith('running_var'):
        return 1 + values / 2
    if len(shape) > 1:
        return values * 2.0 ** np.round(np.log2(np.sqrt(6 / np.prod(shape[1:]))))
    norm = 'bn' in name or 'downsample.1' in name
    return values / 4 + (1 / 4 if norm and name.endswith('weight') else 0)


def lenet(num_classes):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, num_classes))


# Network, batch [n, channels, height, width] and learning rate; classes; height and width of the multiply-adds.
NETWORKS = {
    'lenet': (lenet, [8, 1, 28, 28], 0.05, 10, 28),
    'alexnet': (lambda num_classes: models.alexnet(num_classes=num_classes, dropout=0), [2, 3, 64, 64], 0.001, 1000, 224),
    'vgg16': (lambda num_classes: models.vgg16(num_classes=num_classes, dropout=0), [2, 3, 32, 32], 0.001, 1000, 224),
    'resnet18': (models.resnet18, [4, 3, 64, 64], 0.001, 1000, 224),
    'resnet50': (models.resnet50, [4, 3, 64, 64], 2e-6, 1000, 224),
}


def main():
    tensors, metadata = {}, {}
    for name, (make, shape, rate, classes, size) in NETWORKS.items():
        network = make(num_classes=classes)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network.eval()(torch.zeros(1, shape[1], size, size))
        state = {key: list(tensor.shape) for key, tensor in network.state_dict().items() if tensor.dim() > 0}
        network.load_state_dict({key: value(key, seed, of) for seed, (key, of) in enumerate(state.items())}, strict=False)
        network.double()
        pictures = lambda step: numbers(1000 + step, shape).double()
        labels = lambda step: torch.tensor((mixed(2000 + step, shape[0]) % classes).astype(np.int64))
        with torch.no_grad():
            tensors[f'{name}/outputs'] = network(pictures(0))
        network.train()
        optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9)
        losses, samples, norms = [], [], []
        for step in range(STEPS):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(pictures(step)), labels(step))
            loss.backward()
            losses.append(loss.item())
            for parameter in network.parameters() if step == 0 else []:
                flat = parameter.grad.flatten()
                some = torch.tensor((mixed(3, 1000) % flat.numel()).astype(np.int64))
                samples.append(flat if flat.numel() <= 1000 else flat[some])
                norms.append(flat.norm())
            optimizer.step()
        tensors |= {f'{name}/losses': torch.tensor(losses), f'{name}/norms': torch.stack(norms)}
        tensors[f'{name}/samples'] = torch.cat(samples)
        metadata[name] = json.dumps({
            'state': state, 'batch': shape, 'rate': rate, 'classes': classes, 'size': size,
            'multiplyAdds': counter.get_total_flops() // 2, 'pytorch': torch.__version__})
        print(name, ' '.join(f'{loss:.5f}' for loss in losses), float(tensors[f'{name}/outputs'].abs().max()), float(norms[0]))
    save_file({key: tensor.detach().float().contiguous() for key, tensor in tensors.items()}, GOLDEN, metadata)
    print(f'golden: {len(NETWORKS)} networks, {GOLDEN.stat().st_size} bytes')


main()
