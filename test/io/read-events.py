"""Prints what the tensorboard package reads in folders, as JSON: {folder: {kind: {tag: [[step, value], ...]}}}."""
import io
import json
import sys

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.pr_curve import metadata
from tensorboard.util import tensor_util

ALL = {"scalars": 0, "images": 0, "histograms": 0, "tensors": 0}


def histogram(value):
    return {name: getattr(value, name) for name in ("min", "max", "num", "sum", "sum_squares", "bucket_limit", "bucket")}


def curve(folder, tag, event):
    content = folder.SummaryMetadata(tag).plugin_data.content
    assert tag in folder.PluginTagToContent(metadata.PLUGIN_NAME)
    rows = tensor_util.make_ndarray(event.tensor_proto)
    assert rows.shape == (6, metadata.parse_plugin_metadata(content).num_thresholds)
    return rows.tolist()


def read(path):
    folder = EventAccumulator(path, size_guidance=ALL)
    folder.Reload()
    tags = folder.Tags()
    return {
        "scalars": {tag: [[e.step, e.value] for e in folder.Scalars(tag)] for tag in tags["scalars"]},
        "images": {
            tag: [[e.step, np.asarray(Image.open(io.BytesIO(e.encoded_image_string))).tolist()] for e in folder.Images(tag)]
            for tag in tags["images"]
        },
        "histograms": {
            tag: [[e.step, histogram(e.histogram_value)] for e in folder.Histograms(tag)] for tag in tags["histograms"]
        },
        "curves": {tag: [[e.step, curve(folder, tag, e)] for e in folder.Tensors(tag)] for tag in tags["tensors"]},
    }


print(json.dumps({path: read(path) for path in sys.argv[1:]}))
