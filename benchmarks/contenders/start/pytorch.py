# The same as needletail.mjs, in PyTorch.
import torch

print((torch.tensor([1.]) + torch.tensor([2.])).item())
