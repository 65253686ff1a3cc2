#!/usr/bin/env python3
"""Golden values from scikit-learn for test/metrics.

Usage: pip install -r scripts/golden-requirements.txt; scripts/golden-metrics.py

Inputs are stored beside the values. Scores are float32 numbers. null stands for NaN.
"""
import json
import math
import pathlib
import warnings

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.preprocessing import label_binarize

TARGET = pathlib.Path(__file__).resolve().parent.parent / 'test/metrics/golden'
warnings.simplefilter('ignore')  # of what is undefined, the value is stored


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return None if math.isnan(value) else float(value)
    return int(value) if isinstance(value, np.integer) else value


def or_nan(function, *arguments, **options):
    """What scikit-learn refuses to compute is NaN."""
    try:
        return function(*arguments, **options)
    except ValueError:
        return math.nan


# --- yes or no

def signal(random, labels, strength, spread=1.0):
    """Probabilities that tell something about the labels."""
    logits = random.normal(0, spread, len(labels)) + strength * (2 * labels - 1)
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def binary_cases():
    random = np.random.default_rng(1)
    half = (random.random(60) < 0.5).astype(int)
    rare = (np.arange(500) % 10 == 0).astype(int)
    yield 'distinct scores', signal(random, half, 0.7), half
    ties = (random.random(80) < 0.4).astype(int)
    yield 'ties', np.round(signal(random, ties, 0.5) * 8).astype(np.float32) / 8, ties
    yield 'scores at the edges of bins', (np.arange(44) % 11).astype(np.float32) / np.float32(10), (np.arange(44) % 3 == 0).astype(int)
    yield 'one score throughout', np.full(10, 0.5, np.float32), np.array([1, 0, 0, 1, 1, 0, 1, 1, 0, 1])
    yield 'all positive', random.random(12).astype(np.float32), np.ones(12, int)
    yield 'all negative', random.random(12).astype(np.float32), np.zeros(12, int)
    yield 'one example', np.array([0.25], np.float32), np.array([1])
    yield 'imbalanced 1:9', signal(random, rare, 1.0), rare
    yield 'imbalanced 1:9 with ties', np.round(signal(random, rare, 1.0) * 20).astype(np.float32) / 20, rare
    yield 'perfect', np.array([0.9, 0.8, 0.7, 0.3, 0.2], np.float32), np.array([1, 1, 1, 0, 0])
    yield 'perfectly wrong', np.array([0.9, 0.8, 0.7, 0.3, 0.2], np.float32), np.array([0, 0, 1, 1, 1])
    yield 'zeros and ones', np.array([0, 1, 1, 0, 1, 0], np.float32), np.array([0, 1, 0, 1, 1, 0])


def at(threshold, scores, labels):
    chosen = (scores >= np.float32(threshold)).astype(int)
    tn, fp, fn, tp = metrics.confusion_matrix(labels, chosen, labels=[0, 1]).ravel()
    return {
        'threshold': threshold,
        'truePositives': tp,
        'falsePositives': fp,
        'trueNegatives': tn,
        'falseNegatives': fn,
        'accuracy': metrics.accuracy_score(labels, chosen),
        'precision': metrics.precision_score(labels, chosen, zero_division=0),
        'recall': metrics.recall_score(labels, chosen, zero_division=0),
        'f1': metrics.f1_score(labels, chosen, zero_division=0),
    }


def calibration(scores, labels, bins):
    # Widened first, so that scikit-learn's means are of float64 numbers.
    wide = scores.astype(np.float64)
    share, mean = calibration_curve(labels, wide, n_bins=bins)
    # calibration_curve leaves empty bins out, and gives no counts: those of the same bins.
    index = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], wide)
    counts = np.bincount(index, minlength=bins)
    distance = np.abs(share - mean)
    return {
        'bins': bins,
        'counts': counts,
        'share': share,
        'mean': mean,
        'expectedError': np.average(distance, weights=counts[counts > 0]),
        'maximumError': distance.max(),
    }


def binary():
    results = {}
    for name, scores, labels in binary_cases():
        precision, recall, thresholds = metrics.precision_recall_curve(labels, scores)
        false_rate, true_rate, roc_thresholds = metrics.roc_curve(labels, scores, drop_intermediate=False)
        some = labels.any()
        results[name] = {
            'scores': scores,
            'labels': labels,
            'precisionRecall': {'precision': precision, 'recall': recall, 'thresholds': thresholds},
            # The first threshold is infinite.
            'roc': {'falsePositiveRate': false_rate, 'truePositiveRate': true_rate, 'thresholds': roc_thresholds[1:]},
            'averagePrecision': metrics.average_precision_score(labels, scores),
            'rocAuc': or_nan(metrics.roc_auc_score, labels, scores),
            'recallAt': {str(p): recall[precision >= p].max() if some else 0 for p in (0.3, 0.5, 0.9, 0.97)},
            'precisionAt': {str(r): precision[recall >= r].max() if some else 0 for r in (0.1, 0.5, 0.9, 1)},
            'at': [at(threshold, scores, labels) for threshold in (-1, 0.1, 0.25, 0.5, 0.9, 2)],
            'brier': metrics.brier_score_loss(labels, scores.astype(np.float64), pos_label=1),
            'calibration': [calibration(scores, labels, bins) for bins in (1, 7, 10)],
        }
    return results


# --- several classes

def class_cases():
    random = np.random.default_rng(2)

    def probabilities(labels, classes, strength):
        logits = random.normal(0, 1, (len(labels), classes)) + strength * np.eye(classes)[labels]
        return (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)

    ten = random.integers(0, 10, 300)
    yield '10 classes', probabilities(ten, 10, 1.5), ten
    missing = random.choice([0, 1, 3, 4], 120)
    yield 'one class missing of 5', probabilities(missing, 5, 1.0), missing
    skewed = random.choice(3, 200, p=[0.9, 0.07, 0.03])
    yield 'imbalanced', probabilities(skewed, 3, 1.0), skewed
    yield 'one class alone', probabilities(np.full(20, 2), 4, 0.5), np.full(20, 2)


def several():
    results = {}
    for name, scores, labels in class_cases():
        classes = list(range(scores.shape[1]))
        guesses = scores.argmax(1)
        columns = label_binarize(labels, classes=classes)
        scored = dict(labels=classes, zero_division=0)

        def summary(average):
            return metrics.precision_recall_fscore_support(labels, guesses, average=average, **scored)[:3]

        def areas(score, averages):
            return {average: or_nan(score, columns, scores, average=average) for average in averages}

        results[name] = {
            'scores': scores,
            'labels': labels,
            'matrix': metrics.confusion_matrix(labels, guesses, labels=classes),
            'classes': np.array(metrics.precision_recall_fscore_support(labels, guesses, **scored)).T,
            'averages': {average: summary(average) for average in ('macro', 'micro', 'weighted')},
            'accuracy': metrics.accuracy_score(labels, guesses),
            'topK': {str(k): metrics.top_k_accuracy_score(labels, scores, k=k, labels=classes) for k in range(1, 4)},
            'averagePrecision': areas(metrics.average_precision_score, ('macro', 'micro', 'weighted')),
            'rocAuc': areas(metrics.roc_auc_score, ('macro', 'micro', 'weighted')),
        }
    return results


TARGET.mkdir(parents=True, exist_ok=True)
for make in (binary, several):
    cases = [f'{json.dumps(name)}: {json.dumps(plain(case))}' for name, case in make().items()]
    (TARGET / f'{make.__name__}.json').write_text('{\n' + ',\n'.join(cases) + '\n}\n')
