#!/usr/bin/env python3
"""Golden values from PyTorch for test/training: optimizers, schedules, ten steps of the bird network, and mixed precision.

Usage: pip install -r scripts/golden-requirements.txt; scripts/golden-training.py [file ...]     (none: all)

Computed in float64 (but for mixed precision), so that a golden value carries no rounding but the stored one's. Inputs come from the hash of
test/training/support.ts, and the network's first weights from torch.manual_seed: the tests make both anew.
"""
import base64
import hashlib
import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F

TARGET = pathlib.Path(__file__).resolve().parent.parent / 'test/training/golden'


def mixed(seed, count):
    h = (np.arange(count, dtype=np.uint64) + np.uint64(seed * 0x9E3779B1 & 0xFFFFFFFF)).astype(np.uint32)
    h = (h ^ (h >> 16)) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * np.uint32(0xC2B2AE35)
    return h ^ (h >> 16)


def numbers(seed, shape):
    """Multiples of 2^-7 in [-1, 1)."""
    return torch.tensor((mixed(seed, int(np.prod(shape))) >> 24).astype(np.float64).reshape(shape) / 128 - 1)


def floats(tensor):
    return base64.b64encode(tensor.detach().to(torch.float32).contiguous().numpy().astype('<f4').tobytes()).decode()


OPTIMIZERS = {
    'SGD': (torch.optim.SGD, {'lr': 0.1}),
    'SGD momentum': (torch.optim.SGD, {'lr': 0.1, 'momentum': 0.9}),
    'SGD momentum decay': (torch.optim.SGD, {'lr': 0.1, 'momentum': 0.8, 'weight_decay': 0.05}),
    'SGD nesterov decay': (torch.optim.SGD, {'lr': 0.1, 'momentum': 0.9, 'nesterov': True, 'weight_decay': 0.01}),
    'Adam': (torch.optim.Adam, {'lr': 0.01}),
    'Adam betas decay': (torch.optim.Adam, {'lr': 0.05, 'betas': (0.8, 0.95), 'eps': 1e-3, 'weight_decay': 0.1}),
    'AdamW': (torch.optim.AdamW, {'lr': 0.01}),
    'AdamW decay': (torch.optim.AdamW, {'lr': 0.05, 'betas': (0.7, 0.9), 'weight_decay': 0.3}),
    'SGD decay of weights': (torch.optim.SGD, {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 0.05}),
    'AdamW decay of weights': (torch.optim.AdamW, {'lr': 0.05, 'weight_decay': 0.3}),
    'accumulated': (torch.optim.SGD, {'lr': 0.1, 'momentum': 0.9}),
    'clipped': (torch.optim.SGD, {'lr': 0.1, 'momentum': 0.9}),
}
SHAPES = [[3, 4], [5], []]


def optimizers():
    results = {}
    for name, (make, options) in OPTIMIZERS.items():
        parameters = [numbers(10 + i, shape).requires_grad_() for i, shape in enumerate(SHAPES)]
        groups = [{'params': parameters}]
        if name.endswith('of weights'):
            matrices = [p for p in parameters if p.dim() > 1]
            groups = [{'params': matrices}, {'params': [p for p in parameters if p.dim() <= 1], 'weight_decay': 0}]
        optimizer = make(groups, **options)
        after = {}
        for step in range(1, 11):
            for i, parameter in enumerate(parameters):
                parameter.grad = numbers(100 + 10 * step + i, SHAPES[i])
                if name == 'accumulated':
                    parameter.grad += numbers(300 + 10 * step + i, SHAPES[i]) + numbers(500 + 10 * step + i, SHAPES[i])
                    parameter.grad /= 3
            if name == 'clipped':
                torch.nn.utils.clip_grad_norm_(parameters, 0.5 if step % 2 else 100)
            optimizer.step()
            if step in (1, 2, 10):
                after[step] = [floats(parameter) for parameter in parameters]
        results[name] = after
    return results


def losses():
    """Each loss with each reduction, and the gradient of the mean."""
    logits, soft = numbers(1, [6, 4]) * 3, torch.softmax(numbers(2, [6, 4]) * 2, 1)
    labels, weights = torch.tensor([0, 3, 1, 2, 2, 0]), torch.tensor([0.5, 1, 3, 0.25], dtype=torch.float64)
    x, t = numbers(3, [5, 3]) * 4, numbers(4, [5, 3]).abs()
    log, names = torch.log_softmax(logits, 1), {'mean': 'batchmean', 'sum': 'sum', 'none': 'none'}

    def divergence(x, reduction):
        each = F.kl_div(x, soft, reduction=names[reduction])
        return each.sum(1) if reduction == 'none' else each

    cases = {
        'crossEntropy': (logits, lambda x, r: F.cross_entropy(x, labels, reduction=r)),
        'crossEntropy weights smoothing': (
            logits, lambda x, r: F.cross_entropy(x, labels, weights, label_smoothing=0.2, reduction=r)),
        'crossEntropy soft': (logits, lambda x, r: F.cross_entropy(x, soft, reduction=r)),
        'crossEntropy soft weights smoothing': (
            logits, lambda x, r: F.cross_entropy(x, soft, weights, label_smoothing=0.2, reduction=r)),
        'negativeLogLikelihood': (log, lambda x, r: F.nll_loss(x, labels, reduction=r)),
        'negativeLogLikelihood weights': (log, lambda x, r: F.nll_loss(x, labels, weights, reduction=r)),
        'klDivergence': (log, divergence),
        'mse': (x, lambda x, r: F.mse_loss(x, t, reduction=r)),
        'l1': (x, lambda x, r: F.l1_loss(x, t, reduction=r)),
        'huber': (x, lambda x, r: F.huber_loss(x, t, reduction=r)),
        'huber delta': (x, lambda x, r: F.huber_loss(x, t, delta=2.5, reduction=r)),
        'binaryCrossEntropy': (x, lambda x, r: F.binary_cross_entropy_with_logits(x, t, reduction=r)),
        'binaryCrossEntropy positiveWeight': (
            x, lambda x, r: F.binary_cross_entropy_with_logits(x, t, pos_weight=torch.tensor(3.0), reduction=r)),
    }
    results = {}
    for name, (inputs, loss) in cases.items():
        inputs = inputs.clone().requires_grad_()
        results[name] = {reduction: floats(loss(inputs, reduction)) for reduction in names}
        loss(inputs, 'mean').backward()
        results[name]['gradient'] = floats(inputs.grad)
    return results


def averages():
    """Moving averages of a parameter, a buffer and a counter whose values are set anew before each update."""
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(numbers(1, [3, 4]))
    module.register_buffer('mean', numbers(2, [5]))
    swa = torch.optim.swa_utils
    average = swa.AveragedModel(module, multi_avg_fn=swa.get_ema_multi_avg_fn(0.9), use_buffers=True)
    after = {}
    for step in range(1, 11):
        with torch.no_grad():
            module.weight.copy_(numbers(10 + step, [3, 4]))
            module.mean.copy_(numbers(30 + step, [5]))
        average.update_parameters(module)
        after[step] = [floats(average.module.weight), floats(average.module.mean)]
    return after


def rates(make, steps):
    parameter = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    schedule = make(optimizer)
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.step()
    return values


def schedules():
    s = torch.optim.lr_scheduler
    return {
        'linear': rates(lambda o: s.LinearLR(o, start_factor=1, end_factor=0.1, total_iters=20), 25),
        'cosine': [*rates(lambda o: s.CosineAnnealingLR(o, 20, eta_min=0.01), 21)],
        'step': rates(lambda o: s.StepLR(o, 7, gamma=0.3), 30),
        'multiStep': rates(lambda o: s.MultiStepLR(o, [3, 10, 11], gamma=0.3), 15),
        'exponential': rates(lambda o: s.ExponentialLR(o, 0.9), 15),
        'oneCycle': rates(lambda o: s.OneCycleLR(o, max_lr=0.5, total_steps=31, cycle_momentum=False), 31),
        'warmup': rates(lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1, total_iters=5), s.CosineAnnealingLR(o, 20)], [5]), 25),
    }


def network():
    """The bird network: as in the article, without dropout."""
    torch.manual_seed(1)
    return [
        torch.nn.Conv2d(3, 32, 3, padding=1),
        torch.nn.Conv2d(32, 64, 3, padding=1),
        torch.nn.Conv2d(64, 64, 3, padding=1),
        torch.nn.Linear(64 * 8 * 8, 512),
        torch.nn.Linear(512, 2),
    ]


def forward(layers, x):
    x = F.max_pool2d(F.relu(layers[0](x)), 2)
    x = F.relu(layers[1](x))
    x = F.max_pool2d(F.relu(layers[2](x)), 2)
    return layers[4](F.relu(layers[3](x.flatten(1))))


BATCH, STEPS = 16, 10


def sums(tensor):
    """Per output: the sum of its weights, and of their squares; all elements of small tensors."""
    rows = tensor.reshape(tensor.shape[0], -1)
    return [floats(rows.sum(1)), floats(rows.square().sum(1))]


def birds():
    pixels = torch.tensor(mixed(1, STEPS * BATCH * 32 * 32 * 3) >> 24, dtype=torch.float64) / 255
    images = (pixels.reshape(STEPS, BATCH, 32, 32, 3) - 0.5) / 0.25
    labels = torch.tensor((mixed(2, STEPS * BATCH) % 3 == 0).astype(np.int64)).reshape(STEPS, BATCH)
    results = {}
    digest = hashlib.sha256()
    for layer in network():
        for tensor in (layer.weight, layer.bias):
            digest.update(tensor.detach().numpy().astype('<f4').tobytes())
    results['initial'] = digest.hexdigest()
    for name, make in {
        'SGD': lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
        'Adam': lambda p: torch.optim.Adam(p, lr=0.001),
    }.items():
        layers = [layer.double() for layer in network()]
        parameters = [p for layer in layers for p in layer.parameters()]
        optimizer = make(parameters)
        losses = []
        for step in range(STEPS):
            optimizer.zero_grad()
            loss = F.cross_entropy(forward(layers, images[step].movedim(-1, 1)), labels[step])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        sample = [p.detach().flatten()[mixed(3, 500).astype(np.int64) % p.numel()] for p in parameters]
        results[name] = {
            'losses': losses,
            'sums': [sums(p) for p in parameters],
            'sample': [floats(values) for values in sample],
        }
    return results


def nchw(x):
    return x.movedim(-1, 1)


def nhwc(x):
    return x.movedim(1, -1)


def conv(x, w, b=None, **options):
    return nhwc(F.conv2d(nchw(x), nchw(w), b, **options))


def batch_norm(x, scale, offset):
    return nhwc(F.batch_norm(nchw(x), None, None, scale, offset, training=True))


LABELS = torch.tensor([0, 3, 1, 2])
IMAGES, WEIGHTS = [4, 6, 6, 3], [4, 3, 3, 3]

# Inputs' shapes, and the result. Where autocast keeps float32 on CUDA alone (softmax, layer norm, sums), .float() stands here.
AUTOCAST = {
    'conv2d': ([IMAGES, WEIGHTS, [4]], lambda x, w, b: conv(x, w, b, padding=1)),
    'conv2d stride relu': ([IMAGES, WEIGHTS, [4]], lambda x, w, b: F.relu(conv(x, w, b, stride=2))),
    'convTranspose2d': (
        [[2, 3, 3, 4], WEIGHTS, [3]], lambda x, w, b: nhwc(F.conv_transpose2d(nchw(x), nchw(w), b, stride=2))),
    'linear': ([[5, 7], [4, 7], [4]], lambda x, w, b: F.linear(x, w, b)),
    'matmul': ([[2, 3, 5], [5, 4]], lambda a, b: a @ b),
    'shared weight': ([[3, 5], [5, 5]], lambda x, w: (x @ w).tanh() @ w),
    'residual of float32': ([IMAGES, [3, 3, 3, 3]], lambda x, w: conv(x, w, padding=1) + x),
    'batchNorm': ([IMAGES, WEIGHTS, [4], [4]], lambda x, w, s, o: batch_norm(conv(x, w), s, o)),
    'maxPool2d': ([IMAGES, WEIGHTS], lambda x, w: nhwc(F.max_pool2d(nchw(conv(x, w)), 2))),
    'avgPool2d': ([IMAGES, WEIGHTS], lambda x, w: nhwc(F.avg_pool2d(nchw(conv(x, w)), 2))),
    'concat': ([[3, 5], [5, 4], [3, 2]], lambda x, w, y: torch.cat([x @ w, y], 1)),
    'mean': ([[3, 5], [5, 4]], lambda x, w: (x @ w).mean(1)),
    'sum': ([[3, 5], [5, 4]], lambda x, w: (x @ w).float().sum(1)),
    'exp': ([[3, 5], [5, 4]], lambda x, w: (x @ w).float().exp()),
    'softmax': ([[3, 5], [5, 4]], lambda x, w: (x @ w).float().softmax(1)),
    'layerNorm': ([[3, 5], [5, 4], [4], [4]], lambda x, w, s, o: F.layer_norm((x @ w).float(), [4], s, o)),
    'crossEntropy': ([[4, 7], [5, 7]], lambda x, w: F.cross_entropy(F.linear(x, w).float(), LABELS)),
    'mse': ([[4, 7], [5, 7], [4, 5]], lambda x, w, t: F.mse_loss(F.linear(x, w).float(), t)),
    'network': (
        [IMAGES, [3, 3, 3, 3], [3], [3], [5, 27]],
        lambda x, w, s, o, v: F.cross_entropy(
            F.linear(nhwc(F.max_pool2d(nchw(F.relu(batch_norm(conv(x, w, padding=1), s, o) + x)), 2)).flatten(1), v)
            .float(), LABELS)),
}


def precision():
    """Results under autocast to bfloat16, on the CPU, and the gradients for the seed numbers(99)."""
    results = {}
    for name, (shapes, f) in AUTOCAST.items():
        inputs = [numbers(10 + i, shape).float().requires_grad_() for i, shape in enumerate(shapes)]
        with torch.autocast('cpu', torch.bfloat16):
            result = f(*inputs)
        result.backward(numbers(99, result.shape).to(result.dtype))
        results[name] = {
            'dtype': str(result.dtype).removeprefix('torch.'),
            'result': floats(result),
            'gradients': [floats(tensor.grad) for tensor in inputs],
        }
    return results


TARGET.mkdir(parents=True, exist_ok=True)
for make in (optimizers, averages, losses, schedules, birds, precision):
    if not sys.argv[1:] or make.__name__ in sys.argv[1:]:
        (TARGET / f'{make.__name__}.json').write_text(json.dumps(make(), indent=1) + '\n')
