"""Writes test/io/golden: a small network as both of PyTorch's exporters write it, an input and its output.

pip install -r scripts/golden-requirements.txt onnx==1.23.2 onnxscript
"""
import json
import pathlib

import onnx
import torch
from torch import nn
from torch.nn import functional

folder = pathlib.Path(__file__).parent.parent / "test" / "io" / "golden"


class Block(nn.Module):
    """A residual block with a depthwise convolution, whose channels are weighed (squeeze and excitation)."""

    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.gate = nn.Linear(channels, channels)

    def forward(self, x):
        y = functional.hardswish(self.second(torch.relu(self.norm(self.first(x)))))
        return x + y * torch.sigmoid(self.gate(y.mean((2, 3))))[:, :, None, None]


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.block = Block(8)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.dense = nn.Linear(16, 10)

    def forward(self, x):
        x = self.pool(functional.relu6(self.stem(x)))
        x = self.mean(torch.cat([self.block(x), x], 1))
        return functional.gelu(self.dense(x.view(x.size(0), -1)))


torch.manual_seed(0)
network = Network().eval()
for buffer in network.buffers():
    if buffer.dtype.is_floating_point:
        buffer.uniform_(0.5, 1.5)
x = torch.randn(2, 3, 19, 17)
folder.mkdir(exist_ok=True)
numbers = {"x": x.flatten().tolist(), "y": network(x).detach().flatten().tolist()}
(folder / "pytorch.json").write_text(json.dumps({name: [round(v, 6) for v in values] for name, values in numbers.items()}))

for name, options in {"export": {"dynamo": True, "external_data": False}, "script": {"dynamo": False, "opset_version": 13}}.items():
    path = folder / f"pytorch-{name}.onnx"
    torch.onnx.export(network, (x,), path, input_names=["x"], dynamic_axes=None if options["dynamo"] else {"x": {0: "n"}}, **options)
    model = onnx.load(path)
    # Where each node comes from in this file: of no use to readers.
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    onnx.save(model, path)
