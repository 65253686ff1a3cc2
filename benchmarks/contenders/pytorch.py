# PyTorch, under the harness' protocol (harness/protocol.ts): pytorch.py NCHW|channels_last THREADS
import json
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

layout, threads = sys.argv[1], int(sys.argv[2])
memory_format = torch.channels_last if layout == 'channels_last' else torch.contiguous_format
torch.set_num_threads(threads)
torch.manual_seed(0)


def network():
    net = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding='same'), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding='same'), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding='same'), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4096, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 2))
    return net.to(memory_format=memory_format)


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
    kind = task['kind']
    if kind == 'train':
        x = torch.rand(task['batch'], 3, 32, 32).contiguous(memory_format=memory_format)
        y = torch.randint(0, 2, (task['batch'],))
        net = network()
        assert sum(p.numel() for p in net.parameters()) == 2155010
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            return loss.item()
        warm_up(step)
        return 'fused Adam', time_each(step)
    if kind == 'infer':
        x = torch.rand(task['batch'], 3, 32, 32).contiguous(memory_format=memory_format)
        net = network().eval()

        def step():
            with torch.inference_mode():
                return net(x).softmax(1).numpy()
        warm_up(step)
        return 'inference_mode', time_each(step)
    a, b, count = torch.tensor([1.]), torch.tensor([2.]), task['count']
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
            answer({'times': times, 'cpu': cpu, 'peak': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024})
    except Exception as error:
        answer({'error': f'{type(error).__name__}: {error}'})
