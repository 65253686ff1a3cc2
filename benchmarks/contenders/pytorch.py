# PyTorch, under the harness' protocol (harness/protocol.ts): pytorch.py NCHW|channels_last DEVICE eager|compile|graph THREADS
# compile: torch.compile with CUDA graphs; graph: the whole step captured in one CUDA graph, as its documentation shows.
import contextlib
import json
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
    return net, (224, 1000) if large else (32, 2)


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
        times = []
        for _ in range(n):
            begin = time.perf_counter()
            step()
            times.append((time.perf_counter() - begin) * 1e3)
        return times
    return run


def warm_up(step, calls=10):
    begin = time.perf_counter()
    for _ in range(calls):
        step()
        if time.perf_counter() - begin > 5:
            return


def prepare(task):
    kind, count = task['kind'], task.get('count', 1)
    if kind in ('train', 'infer'):
        net, (side, classes) = network(task)
        autocast = precision(task)
        x = torch.rand(task['batch'], 3, side, side, device=device).contiguous(memory_format=memory_format)
        y = torch.randint(0, classes, (task['batch'],), device=device)
        run = torch.compile(net, mode='reduce-overhead') if how == 'compile' else net
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
            note, run = prepare(request['prepare'])
            answer({'version': torch.__version__, **({'note': note} if note else {})})
        else:
            begin = time.process_time()
            times = run(request['run'])
            cpu = (time.process_time() - begin) * 1e3
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            answer({'times': times, 'cpu': cpu, 'peak': torch.cuda.max_memory_allocated() if on_gpu else peak})
    except Exception as error:
        answer({'error': f'{type(error).__name__}: {error}'})
