"""The official files: numbers, where they are, and their MD5, as torchvision or the data sets' pages give it.

MNIST's and Fashion-MNIST's are those of the unpacked files: how they are gzipped may differ. Of CIFAR's binary
version the archives have one and the unpacked files have none. Tiny-ImageNet is read as a folder, which has none
either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from regularizer_study.datasets import cifar, digits, idx_files, svhn, tiny_imagenet
from regularizer_study.datasets.spec import Source, Spec

Reader = Callable[[Any, Spec], tuple[Source, Source]]
"""From a folder (None for what comes with a package) and a spec to training and test set."""

_CIFAR = "https://www.cs.toronto.edu/~kriz/cifar.html"

MNIST = Spec(
    name="mnist",
    title="MNIST",
    folder="mnist",
    n_train=60_000,
    n_test=10_000,
    n_classes=10,
    shape=(1, 28, 28),
    source="https://ossci-datasets.s3.amazonaws.com/mnist/",
    md5={
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
)
FASHION_MNIST = Spec(
    name="fashion_mnist",
    title="Fashion-MNIST",
    folder="fashion_mnist",
    n_train=60_000,
    n_test=10_000,
    n_classes=10,
    shape=(1, 28, 28),
    source="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    md5={
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
)
CIFAR10 = Spec(
    name="cifar10",
    title="CIFAR-10",
    folder="cifar10",
    n_train=50_000,
    n_test=10_000,
    n_classes=10,
    shape=(3, 32, 32),
    source=_CIFAR,
    md5={
        "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
        "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
    },
)
CIFAR100 = Spec(
    name="cifar100",
    title="CIFAR-100",
    folder="cifar100",
    n_train=50_000,
    n_test=10_000,
    n_classes=100,
    shape=(3, 32, 32),
    source=_CIFAR,
    md5={
        "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
    },
)
SVHN = Spec(
    name="svhn",
    title="SVHN",
    folder="svhn",
    n_train=73_257,
    n_test=26_032,
    n_classes=10,
    shape=(3, 32, 32),
    source="http://ufldl.stanford.edu/housenumbers/",
    md5={
        "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
        "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
    },
)
TINY_IMAGENET = Spec(
    name="tiny_imagenet",
    title="Tiny-ImageNet",
    folder="tiny_imagenet",
    n_train=100_000,
    n_test=10_000,
    n_classes=200,
    shape=(3, 64, 64),
    source="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
)
DIGITS = Spec(
    name="digits",
    title="the digits",
    folder="",
    n_train=1442,
    n_test=355,
    n_classes=10,
    shape=(1, 8, 8),
    source="scikit-learn",
)

READERS: dict[str, Reader] = {
    "mnist": idx_files.read,
    "fashion_mnist": idx_files.read,
    "cifar10": cifar.read,
    "cifar100": cifar.read,
    "svhn": svhn.read,
    "tiny_imagenet": tiny_imagenet.read,
    "digits": digits.read,
}
SPECS = {
    spec.name: spec
    for spec in (DIGITS, MNIST, FASHION_MNIST, CIFAR10, CIFAR100, SVHN, TINY_IMAGENET)
}
