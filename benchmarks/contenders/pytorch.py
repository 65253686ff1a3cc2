# PyTorch, under the harness' protocol (harness/protocol.ts): pytorch.py NCHW|channels_last DEVICE eager|compile|graph THREADS
# compile: torch.compile, on a GPU with CUDA graphs; graph: the whole step captured in one CUDA graph, as its documentation shows.
import contextlib
import importlib.metadata
import json
import os
import re
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

layout, device, how, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
memory_format = torch.channels_last if layout == 'channels_last' else torch.contiguous_format
on_gpu = device.startswith('cuda')
torch.set_num_threads(threads)
torch.manual_seed(0)
torch.backends.cudnn.benchmark = True


def bird():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding='same'), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding='same'), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding='same'), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4096, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 2))


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        def convolution(i, o, size, stride=1):
            return [nn.Conv2d(i, o, size, stride, size // 2, bias=False), nn.BatchNorm2d(o)]
        self.body = nn.Sequential(*convolution(inputs, width, 1), nn.ReLU(True), *convolution(width, width, 3, stride),
                                  nn.ReLU(True), *convolution(width, 4 * width, 1))
        same = inputs == 4 * width and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*convolution(inputs, 4 * width, 1, stride))

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


def resnet50():
    layers, inputs = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)], 64
    for stage, blocks in enumerate([3, 4, 6, 3]):
        for block in range(blocks):
            layers.append(Bottleneck(inputs, 64 << stage, 2 if stage and block == 0 else 1))
            inputs = 256 << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


def network(task):
    """The network of a task, the side of its pictures, its classes."""
    large = task.get('network', 'bird') == 'resnet50'
    net = (resnet50() if large else bird()).to(device, memory_format=memory_format)
    assert sum(p.numel() for p in net.parameters()) == (25557032 if large else 2155010)
    return net, (task.get('side', 224), 1000) if large else (32, 2)


def precision(task):
    wanted = task.get('precision', 'float32')
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = wanted == 'tf32'
    if wanted == 'bfloat16':
        return lambda: torch.autocast(device.split(':')[0], torch.bfloat16, cache_enabled=how != 'graph')
    return contextlib.nullcontext


def captured(step):
    """The step as one CUDA graph: torch.cuda.graphs' whole-network capture."""
    assert on_gpu, 'a CUDA graph needs a GPU'
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(4):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = step()
    def replay():
        graph.replay()
        return result
    return replay


def time_each(step):
    def run(n):
        times, start = [], time.perf_counter()
        for _ in range(n):
            begin = time.perf_counter()
            step()
            times.append((time.perf_counter() - begin) * 1e3)
            if time.perf_counter() - start > 3:
                break
        return times
    return run


def warm_up(step, calls=10):
    begin = time.perf_counter()
    for _ in range(calls):
        step()
        if time.perf_counter() - begin > 5:
            return


def read_idx(path, axes, count):
    with open(path, 'rb') as file:
        file.seek(4 + 4 * axes)
        return torch.frombuffer(bytearray(file.read(count)), dtype=torch.uint8)


def fit(task):
    """A pass over pictures as PyTorch's tutorials write it, but for batches picked by index, which is faster than its loader."""
    count, batch = task['pictures'], task['batch']
    net, _ = network(task)
    autocast = precision(task)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    if 'images' in task:
        pixels = read_idx(task['images'], 4, count * 3072).view(count, 32, 32, 3)
        labels = (read_idx(task['labels'], 1, count) == 2).long()
    else:
        pixels, labels = torch.randint(0, 256, (count, 32, 32, 3), dtype=torch.uint8), torch.randint(0, 2, (count,))
    x = pixels.permute(0, 3, 1, 2)  # channels_last
    mean = torch.tensor([0.4914, 0.4822, 0.4465]).view(1, 3, 1, 1)
    deviation = torch.tensor([0.2470, 0.2435, 0.2616]).view(1, 3, 1, 1)

    def one_pass():
        loss_sum, correct = torch.zeros(()), torch.zeros((), dtype=torch.long)
        for at in torch.randperm(count).split(batch):
            images, wanted = (x[at].float() / 255 - mean) / deviation, labels[at]
            optimizer.zero_grad(set_to_none=True)
            with autocast():
                outputs = net(images)
                loss = F.cross_entropy(outputs, wanted)
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(at)
            correct += (outputs.argmax(1) == wanted).sum()
        return loss_sum.item() / count, correct.item() / count
    return one_pass


def operation(task):
    op, shapes = task['op'], task['shapes']
    tensors = [torch.rand(shape) for shape in shapes]
    if op in ('conv2d', 'conv2dGradient', 'maxPool2d'):
        tensors[0] = tensors[0].permute(0, 3, 1, 2)  # channels_last
    if op in ('conv2d', 'conv2dGradient'):
        x, w = tensors[0], tensors[1].permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        if op == 'conv2d':
            return lambda: F.conv2d(x, w, padding='same')
        x, w = x.requires_grad_(), w.requires_grad_()
        return lambda: torch.autograd.grad(F.conv2d(x, w, padding='same').sum(), (x, w))
    a, b = tensors[0], tensors[-1]
    at = torch.randint(0, shapes[0][0], shapes[-1]) if op == 'gather' else None
    return {
        'matmul': lambda: a @ b,
        'maxPool2d': lambda: F.max_pool2d(a, 2),
        'add': lambda: a + b,
        'relu': lambda: a.relu(),
        'tanh': lambda: a.tanh(),
        'sum': lambda: a.sum(),
        'sumRows': lambda: a.sum(1),
        'softmax': lambda: a.softmax(-1),
        'transpose': lambda: a.t().contiguous(),
        'concat': lambda: torch.cat([a, b], 1),
        'gather': lambda: a[at],
        'argmax': lambda: a.argmax(1),
        'cumsum': lambda: a.cumsum(1),
        'topK': lambda: a.topk(5),
        'normal': lambda: torch.randn(shapes[0]),
    }[op]


def loops_of(step):
    """As loopsOf of harness/serve.ts."""
    def loop(count):
        begin = time.perf_counter()
        for _ in range(count):
            step()
        return (time.perf_counter() - begin) * 1e3 / count
    first = loop(1)
    if first > 1000:
        return lambda n: [first]
    once = loop(1)
    count = max(1, min(2000, round(20 / (loop(10) if once < 2 else once))))
    return lambda n: [loop(count) for _ in range(n)]


def installed_size():
    """Bytes of torch and of all the packages that it depends on."""
    found, left = {}, ['torch']
    while left:
        name = left.pop()
        if name in found:
            continue
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        paths = [package.locate_file(path) for path in package.files or []]
        found[name] = sum(os.path.getsize(path) for path in paths if os.path.exists(path))
        left += [re.match(r'[\w.-]+', wanted)[0] for wanted in package.requires or [] if 'extra ==' not in wanted]
    return sum(found.values())


def prepare(task):
    kind, count = task['kind'], task.get('count', 1)
    if kind == 'size':
        return 'without Python', lambda n: [installed_size()]
    if kind == 'op':
        return None, loops_of(operation(task))
    if kind == 'fit':
        one_pass = fit(task)
        one_pass()
        return 'batches by index, no loader', time_each(one_pass)
    if kind in ('train', 'infer'):
        net, (side, classes) = network(task)
        autocast = precision(task)
        x = torch.rand(task['batch'], 3, side, side, device=device).contiguous(memory_format=memory_format)
        y = torch.randint(0, classes, (task['batch'],), device=device)
        run = torch.compile(net, mode='reduce-overhead' if on_gpu else 'default') if how == 'compile' else net
        if kind == 'train':
            if side == 32:
                optimizer, note = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True, capturable=how == 'graph'), 'fused Adam'
            else:
                optimizer, note = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, fused=True), 'fused SGD'

            def step():
                # A captured step writes into the gradients it was captured with.
                optimizer.zero_grad(set_to_none=True)
                with autocast():
                    loss = F.cross_entropy(run(x), y)
                loss.backward()
                optimizer.step()
                return loss
        else:
            net.eval()
            note = 'inference_mode'

            def step():
                with torch.inference_mode(), autocast():
                    return run(x).float().softmax(1)
        once = captured(step) if how == 'graph' else step

        def steps():
            for _ in range(count - 1):
                once()
            result = once()
            return result.item() if kind == 'train' else result.cpu().numpy()
        warm_up(steps)
        each = time_each(steps)
        return note, lambda n: [t / count for t in each(n)]
    a, b = torch.tensor([1.]), torch.tensor([2.])
    add = torch.add
    if kind == 'add':
        def loop():
            for _ in range(count):
                add(a, b)
    else:
        def loop():
            for _ in range(count):
                add(a, b).item()
    each = time_each(loop)
    loop()
    return None, lambda n: [t / count for t in each(n)]


def answer(value):
    print('bench ' + json.dumps(value), flush=True)


run = None
for line in sys.stdin:
    request = json.loads(line)
    try:
        if 'prepare' in request:
            kind = request['prepare']['kind']
            note, run = prepare(request['prepare'])
            answer({'version': torch.__version__, **({'note': note} if note else {})})
        else:
            begin = time.process_time()
            values = run(request['run'])
            if kind == 'size':
                answer({'values': values})
                continue
            cpu = (time.process_time() - begin) * 1e3
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            answer({'values': values, 'cpu': cpu, 'peak': torch.cuda.max_memory_allocated() if on_gpu else peak})
    except Exception as error:
        answer({'error': f'{type(error).__name__}: {error}'})
