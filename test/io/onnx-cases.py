"""Writes the cases of ONNX's own test suite, and the networks that come with it, for importOnnx: onnx-cases.py FOLDER OPERATOR...

A case is a model of one input: what else it is given stands in it as initializers. Prints JSON: [{name, path, input, shape, output, wanted}].
"""
import glob
import json
import os
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

folder, *operators = sys.argv[1:]
LARGEST = 10_000  # elements: larger cases test nothing else
data = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")


def write(name, model, inputs, outputs):
    """Nothing where the case isn't about floats to floats."""
    arrays = [numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else np.asarray(x) for x in [*inputs, *outputs]]
    given, wanted = arrays[: len(inputs)], arrays[len(inputs) :]
    if not given or len(wanted) != 1 or given[0].dtype != np.float32 or wanted[0].dtype != np.float32:
        return None
    if not 0 < given[0].size <= LARGEST or wanted[0].size > LARGEST or not np.isfinite(wanted[0]).all():
        return None
    names = [port.name for port in model.graph.input]
    for port, array in zip(names[1:], given[1:]):
        model.graph.initializer.append(numpy_helper.from_array(array, port))
    path = os.path.join(folder, name + ".onnx")
    onnx.save(model, path)
    return {
        "name": name,
        "path": path,
        "input": given[0].flatten().tolist(),
        "shape": given[0].shape,
        "wanted": wanted[0].flatten().tolist(),
        "output": wanted[0].shape,
    }


def protobuf(path):
    with open(path, "rb") as file:
        return onnx.TensorProto.FromString(file.read())


cases = []
for case in collect_testcases(None):
    model = case.model
    standard = all(node.domain in ("", "ai.onnx") and node.op_type in operators for node in model.graph.node)
    if standard and not model.functions and case.data_sets:
        cases.append(write(case.name, model, *case.data_sets[0]))
for path in sorted(glob.glob(os.path.join(data, "pytorch-*", "*", "model.onnx"))):
    model = onnx.load(path)
    if model.opset_import[0].version < 7:
        try:
            model = onnx.version_converter.convert_version(model, 9)
        except Exception:
            continue
    if not all(node.op_type in operators for node in model.graph.node):
        continue
    sets = os.path.join(os.path.dirname(path), "test_data_set_0")
    inputs, outputs = ([protobuf(p) for p in sorted(glob.glob(f"{sets}/{kind}_*.pb"))] for kind in ("input", "output"))
    cases.append(write("pytorch " + os.path.basename(os.path.dirname(path)), model, inputs, outputs))

print(json.dumps({"cases": [case for case in cases if case], "networks": sorted(glob.glob(os.path.join(data, "light", "*.onnx")))}))
