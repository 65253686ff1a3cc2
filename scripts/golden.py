#!/usr/bin/env python3
"""Golden values from PyTorch for the table of op cases (test/ops/cases.ts), into test/ops/golden/<op>.json.

Usage: pip install -r scripts/golden-requirements.txt; scripts/golden.py [op ...]     (none: all)

The table in TypeScript is the only source: this script asks test/ops/export.ts for it. Floating inputs are rounded to their
dtype and computed with in float64, so that a golden value carries no rounding but the stored one's. Images are NHWC and
weights OHWI in needletail: nhwc(), nchw() and oihw() below convert.
"""
import base64
import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / 'test/ops/golden'
MASK = 0xFFFFFFFF
FLOATS = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
DTYPES = {'int32': torch.int32, 'int64': torch.int64, 'uint8': torch.uint8, 'bool': torch.bool}


def mixed(seed, i):
    h = (i + seed * 0x9E3779B1) & MASK
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & MASK
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & MASK
    return h ^ (h >> 16)


def values_of(spec):
    """As valuesOf in test/ops/values.ts."""
    if 'values' in spec:
        return [float(value) for value in spec['values']]
    low, high = spec['domain']
    hashes = [mixed(spec['seed'], i) for i in range(math.prod(spec['shape']))]
    if spec['dtype'] == 'bool':
        return [h & 1 for h in hashes]
    if spec['dtype'] not in FLOATS:
        return [low + h % (high - low + 1) for h in hashes]
    step = (high - low) / max(len(hashes), 1)
    values = [0.0] * len(hashes)
    for rank, i in enumerate(sorted(range(len(hashes)), key=lambda i: (hashes[i], i))):
        values[i] = low + (rank + (0.25 if spec['seed'] % 2 else 0.75)) * step
    return values


def weights_of(output, count):
    return [(mixed(1000 + output, i) % 15 - 7) / 4 for i in range(count)]


def tensor_of(spec, gradient):
    values, dtype = values_of(spec), spec['dtype']
    if dtype in FLOATS:
        rounded = torch.tensor(values, dtype=torch.float32).to(FLOATS[dtype]).double().reshape(spec['shape'])
        return rounded.requires_grad_(gradient)
    return torch.tensor([int(value) for value in values], dtype=DTYPES[dtype]).reshape(spec['shape'])


# What the table's expressions may use besides torch, F, np and math.

def nhwc(x):
    return x.movedim(1, -1)


def nchw(x):
    return x.movedim(-1, 1)


def oihw(w):
    """Weights [out, (height,) width, in] as [out, in, (height,) width]."""
    return w.movedim(-1, 1)


def floor_div(a, b):
    """By integer 0: 0."""
    a, b = torch.broadcast_tensors(a, torch.as_tensor(b, dtype=a.dtype))
    if a.is_floating_point():
        return torch.floor(a / b)
    return torch.where(b == 0, 0, torch.div(a, torch.where(b == 0, 1, b), rounding_mode='floor'))


def remainder(a, b):
    """By integer 0: 0."""
    a, b = torch.broadcast_tensors(torch.as_tensor(a), torch.as_tensor(b, dtype=torch.as_tensor(a).dtype))
    if a.is_floating_point():
        return torch.remainder(a, b)
    return torch.where(b == 0, 0, torch.remainder(a, torch.where(b == 0, 1, b)))


def reduced(f, a, axis, keep):
    """f(x) reduces the last axis, in which the axes to reduce have been joined."""
    axes = range(a.dim()) if axis is None else [axis] if isinstance(axis, int) else axis
    axes = sorted(i % a.dim() for i in axes)
    rest = [i for i in range(a.dim()) if i not in axes]
    size = math.prod(a.shape[i] for i in axes)
    y = f(a.permute(rest + axes).reshape([a.shape[i] for i in rest] + [size]))
    return y.reshape([1 if i in axes else n for i, n in enumerate(a.shape)]) if keep else y


def np_argmax(x):
    """The first of equals, and of NaNs."""
    return torch.from_numpy(np.asarray(np.argmax(x.numpy(), -1)))


def np_argmin(x):
    return torch.from_numpy(np.asarray(np.argmin(x.numpy(), -1)))


def running(f, a, axis, exclusive, reverse, neutral):
    x = a.flip(axis) if reverse else a
    y = f(x, axis)
    if exclusive and x.shape[axis]:
        y = torch.cat([torch.full_like(y.narrow(axis, 0, 1), neutral), y.narrow(axis, 0, y.shape[axis] - 1)], axis)
    return y.flip(axis) if reverse else y


def linear_scan(x, factors, axis, reverse):
    order = range(x.shape[axis])
    last, steps = None, []
    for i in reversed(order) if reverse else order:
        last = x.select(axis, i) if last is None else x.select(axis, i) + factors.select(axis, i) * last
        steps.append(last)
    return torch.stack(steps[::-1] if reverse else steps, axis) if steps else x * 1


def indexed(a, text):
    """a[text] as in Python, negative steps included."""
    numbers = np.arange(a.numel()).reshape(tuple(a.shape))
    places = np.asarray(eval(f'numbers[{text}]', {'numbers': numbers}))
    return a.reshape(-1)[torch.from_numpy(places.reshape(-1).copy())].reshape(places.shape)


def laid(a, padding, value):
    """a laid at low + i * (1 + interior) into a larger tensor of `value`; negative low and high cut."""
    for axis, (low, high, interior) in enumerate(padding):
        n = a.shape[axis]
        size = low + high + (n + (n - 1) * interior if n else 0)
        places = [(i, low + i * (1 + interior)) for i in range(n) if 0 <= low + i * (1 + interior) < size]
        shape = list(a.shape)
        shape[axis] = size
        wide = torch.full(shape, value, dtype=a.dtype)
        if places:
            source, target = (torch.tensor(list(some)) for some in zip(*places))
            wide = wide.index_copy(axis, target, a.index_select(axis, source))
        a = wide if places else wide + 0 * a.sum() if a.is_floating_point() else wide
    return a * 1 if a.dtype != torch.bool else a


def mirrored(a, padding, mode):
    for axis, pair in enumerate(padding):
        a = a.index_select(axis, torch.from_numpy(np.pad(np.arange(a.shape[axis]), pair, mode)))
    return a


def cast(a, dtype):
    """Floats to integers: NaN is 0, others are cut and held to what fits. Integers to narrower ones wrap."""
    if dtype in FLOATS:
        return a.to(FLOATS[dtype]).double()
    if dtype == 'bool':
        return a != 0
    if not a.is_floating_point():
        return a.to(DTYPES[dtype])
    info = torch.iinfo(DTYPES[dtype])
    whole = np.trunc(np.nan_to_num(a.detach().numpy(), nan=0, posinf=math.inf, neginf=-math.inf))
    return torch.tensor([min(max(info.min, v), info.max) if math.isinf(v) else min(max(int(v), info.min), info.max)
                         for v in whole.reshape(-1)], dtype=DTYPES[dtype]).reshape(a.shape)


def same(x, kernel, stride, dilation):
    """Zeros around images [n, c, h, w] so that a convolution gives ceil(size / stride); the odd one behind."""
    pads = []
    for size, k, s, d in reversed(list(zip(x.shape[2:], kernel, stride, dilation))):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def kernel_gradient(g, x, shape, padding, stride, dilation, groups):
    """The gradient of a convolution with respect to weights [o, kh, kw, c / groups], differentiable itself."""
    weights = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    y = nhwc(F.conv2d(F.pad(nchw(x), padding), oihw(weights), None, stride, 0, dilation, groups))
    return torch.autograd.grad((y * g).sum(), weights, create_graph=True)[0]


def pooled(f, x, size, stride, padding, *rest):
    """Images [n, h, w, c], padded by PyTorch where both sides are alike, else by what never wins."""
    (top, bottom), (left, right) = padding
    if f == 'max':
        return nhwc(F.max_pool2d(F.pad(nchw(x), (left, right, top, bottom), value=-math.inf), size, stride))
    ones = torch.ones_like(x)
    total, count = (F.avg_pool2d(F.pad(nchw(some), (left, right, top, bottom)), size, stride, divisor_override=1) for some in (x, ones))
    return nhwc(total / (size[0] * size[1] if rest and rest[0] else count))


def pool_gradient(f, g, x, *window):
    leaf_of_x = x.detach().clone().requires_grad_()
    return torch.autograd.grad((pooled(f, leaf_of_x, *window) * g).sum(), leaf_of_x, create_graph=True)[0]


def batch_norm(x, scale, offset, mean, variance, training, momentum, epsilon):
    """y and the running statistics afterwards, of x [..., channels]."""
    mean, variance = mean.detach().clone(), variance.detach().clone()
    if x.numel() == 0:
        return x + scale * 0 + offset * 0, mean, variance
    y = F.batch_norm(x.reshape(-1, x.shape[-1]), mean, variance, scale, offset, training, momentum, epsilon)
    return y.reshape(x.shape), mean, variance


def norm_gradient(g, x, scale, mean, inverse, axes):
    """dx, dscale, doffset of (x - mean) * inverse * scale + offset, mean and inverse being those of x."""
    axes = list(axes)
    h, s = (x - mean) * inverse, g * scale
    dx = (s - s.mean(axes, keepdim=True) - h * (s * h).mean(axes, keepdim=True)) * inverse
    return dx, (g * h).sum(axes), g.sum(axes)


def layer_gradient(g, x, mean, inverse, scale, axes):
    inner = list(range(g.dim() - axes, g.dim()))
    outer = list(range(g.dim() - axes))
    mean, inverse = (some.reshape(list(some.shape) + [1] * axes) for some in (mean, inverse))
    h, s = (x - mean) * inverse, g if scale is None else g * scale
    dx = (s - s.mean(inner, keepdim=True) - h * (s * h).mean(inner, keepdim=True)) * inverse
    if scale is None:
        return dx
    return (dx, (g * h).sum(outer), g.sum(outer)) if outer else (dx, g * h, g * 1)


def resized(x, size, method, corners):
    """PyTorch's bilinear and nearest-exact; nearest with aligned corners, which it lacks, takes the nearest index."""
    if x.shape[0] == 0:
        return x.new_zeros([0, *size, x.shape[3]]) + 0 * x.sum()
    if method == 'bilinear':
        return nhwc(F.interpolate(nchw(x), size, mode='bilinear', align_corners=corners))
    for axis, n in enumerate(size, 1):
        old = x.shape[axis]
        places = [i * (old - 1) / max(n - 1, 1) if corners else (i + 0.5) * old / n - 0.5 for i in range(n)]
        x = x.index_select(axis, torch.tensor([min(max(math.floor(p + 0.5), 0), old - 1) for p in places]))
    return x


def resize_gradient(g, shape, method, corners):
    x = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad((resized(x, list(g.shape[1:3]), method, corners) * g).sum(), x, create_graph=True)[0]


def planes(x):
    """Images [n, h, w, c] as [n, h * w, c]."""
    return x.flatten(1, 2)


def scattered(indices, updates, size, axis, along):
    """Zeros with updates added at their indices."""
    if along:
        shape = list(updates.shape)
        shape[axis] = size
        return torch.zeros(shape, dtype=updates.dtype).scatter_add(axis, indices.long(), updates)
    rank = updates.dim() - indices.dim() + 1
    axis %= rank
    flat = updates.reshape(*updates.shape[:axis], indices.numel(), *updates.shape[axis + indices.dim():])
    shape = list(flat.shape)
    shape[axis] = size
    return torch.zeros(shape, dtype=updates.dtype).index_add(axis, indices.reshape(-1).long(), flat)


def philox_block(key, low, high=0):
    """Philox 4x32-10 (Salmon et al., 2011)."""
    c = [low & MASK, low >> 32 & MASK, high & MASK, high >> 32 & MASK]
    k = [key & MASK, key >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & MASK, (a >> 32) ^ c[3] ^ k[1], a & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def philox(key, count, first=0):
    return [philox_block(key, first + i // 4)[i % 4] for i in range(count)]


def random_bits(seed, n, first=0):
    return torch.tensor([w - (w >> 31 << 32) for w in philox(seed, n, first)])


def random_uniform(seed, n, low=0, high=1, first=0):
    return torch.tensor([low + (high - low) * (w >> 8) / 2**24 for w in philox(seed, n, first)], dtype=torch.float64)


def random_normal(seed, n, mean=0, std=1):
    """Box and Muller's transform: two bits count quarter turns, the others an angle of -1/2 to 1/2 of one."""
    words = philox(seed, -(-n // 4) * 4)
    values = []
    for first, second in zip(words[::2], words[1::2]):
        radius = math.sqrt(-2 * math.log((first + 0.5) / 2**32))
        rest = second << 2 & MASK
        angle = ((second >> 30) + ((rest - (rest >> 31 << 32)) >> 8) / 2**24) * math.pi / 2
        values += [mean + std * radius * math.cos(angle), mean + std * radius * math.sin(angle)]
    return torch.tensor(values[:n], dtype=torch.float64)


def random_integers(seed, n, low, high):
    words = philox(seed, 2 * n)
    return torch.tensor([low + ((a << 32 | b) * (high - low) >> 64) for a, b in zip(words[::2], words[1::2])])


def random_bernoulli(seed, n, probability, value=1):
    return torch.tensor([value if w < round(probability * 2**32) else 0 for w in philox(seed, n)], dtype=torch.float64)


def random_permutation(seed, n):
    """The order of 64-bit random keys, in whose low bits stand the numbers themselves."""
    words = philox(seed, 2 * n)
    mask = (1 << (n - 1).bit_length()) - 1 if n > 1 else 0
    keys = sorted((a << 32 | b) & ~mask | i for i, (a, b) in enumerate(zip(words[::2], words[1::2])))
    return torch.tensor([key & mask for key in keys], dtype=torch.int64)


def batch_images(images, indices, mean, std, flip, shift, seed, epoch):
    """Gathered, normalised, flipped and shifted; outside a picture is black."""
    n, height, width, channels = images.shape
    out = torch.zeros((len(indices), height, width, channels), dtype=torch.float64)
    for row, index in enumerate(indices.tolist()):
        words = philox_block(seed, index, epoch)
        places = 2 * shift + 1
        dy, dx = (words[1] * places >> 32) - shift, (words[2] * places >> 32) - shift
        picture = images[index].double()
        if words[0] < round(flip * 2**32):
            picture = picture.flip(1)
        for y in range(height):
            for x in range(width):
                if 0 <= y - dy < height and 0 <= x - dx < width:
                    out[row, y, x] = picture[y - dy, x - dx]
    return (out / 255 - torch.tensor(mean).double()) / torch.tensor(std).double()


def counted(predictions, labels, counts):
    counts = counts.clone()
    for prediction, label in zip(predictions.tolist(), labels.tolist()):
        counts[label, prediction] += 1
    return counts


LEAVES = []


def leaf(x):
    """A copy of x to differentiate by; LEAVES lists a case's."""
    LEAVES.append(x.detach().clone().requires_grad_())
    return LEAVES[-1]


def trained(optimizer, parameters, gradients, steps):
    """The parameters after some steps with the same gradients."""
    leaves = [p.detach().clone().requires_grad_() for p in parameters]
    rule = optimizer(leaves)
    for _ in range(steps):
        for leaf, gradient in zip(leaves, gradients):
            leaf.grad = gradient.detach().clone()
        rule.step()
    return [leaf.detach() for leaf in leaves]


class Names(dict):
    """Free names of an expression: the above, else torch's, else torch.nn.functional's."""

    def __missing__(self, name):
        for module in (torch, F):
            if hasattr(module, name):
                return getattr(module, name)
        raise KeyError(name)


def stored(tensor):
    if tensor is None:
        return None
    tensor = tensor.detach()
    if tensor.is_floating_point():
        kind, dtype = 'floats', '<f4'
    elif tensor.numel() and (tensor.long() != tensor.int()).any():
        kind, dtype = 'wide', '<f8'
    else:
        kind, dtype = 'integers', '<i4'
    if kind == 'floats':
        tensor = tensor.float()
    data = base64.b64encode(tensor.contiguous().numpy().astype(dtype).tobytes()).decode()
    return {'shape': list(tensor.shape), kind: data}


def results(case):
    inputs = [tensor_of(spec, i in case['gradients']) for i, spec in enumerate(case['inputs'])]
    LEAVES.clear()
    names = Names({name: value for name, value in globals().items() if not name.startswith('_')})
    names.update(zip('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ', inputs), range=range)
    outputs = eval(case['torch'], names)  # the table is part of this repository
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    gradients = [None] * len(inputs)
    if case['gradients']:
        total = torch.zeros((), dtype=torch.float64)
        for i, output in enumerate(outputs):
            if output.is_floating_point():
                weights = torch.tensor(weights_of(i, output.numel()), dtype=torch.float64).reshape(output.shape)
                total = total + (output * weights).sum()
        wanted = [inputs[i] for i in case['gradients']]
        found = torch.autograd.grad(total, wanted, allow_unused=True) if total.requires_grad else [None] * len(wanted)
        for i, gradient in zip(case['gradients'], found):
            gradients[i] = torch.zeros_like(inputs[i]) if gradient is None else gradient
    return {'outputs': [stored(output) for output in outputs], 'gradients': [stored(gradient) for gradient in gradients]}


def main(wanted):
    torch.use_deterministic_algorithms(True)
    command = ['node', '--import', 'tsx', 'test/ops/export.ts', *wanted]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    ops = {}
    for row in map(json.loads, lines):
        if 'weights' in row:
            assert row['weights'] == weights_of(0, 8)
            continue
        try:
            ops.setdefault(row['op'], {})[row['case']['name']] = {'of': row['of'], **results(row['case'])}
        except Exception as error:
            raise SystemExit(f"golden: {row['op']} ({row['case']['name']}): {row['case']['torch']}: {error}") from error
    GOLDEN.mkdir(parents=True, exist_ok=True)
    if not wanted:
        for path in GOLDEN.glob('*.json'):
            if path.stem not in ops:
                path.unlink()
    for op, cases in ops.items():
        lines = (f'{json.dumps(name)}: {json.dumps(case, separators=(",", ":"))}' for name, case in cases.items())
        (GOLDEN / f'{op}.json').write_text('{\n' + ',\n'.join(lines) + '\n}\n')
    print(f'golden: {len(ops)} ops, {sum(map(len, ops.values()))} cases, '
          f'{sum(path.stat().st_size for path in GOLDEN.glob("*.json")) / 1e6:.2f} MB')


main(sys.argv[1:])
