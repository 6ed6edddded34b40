// A LARNN's inputs and outputs, and what is read once, when a kernel is made.
#pragma once

#include "kernel.h"

namespace larnn {

// In the order of the node's inputs; what follows kFilled is constant.
enum Input {
  kKeys = kCommonInputs,
  kValues,
  kFilled,
  kQueryX,
  kQueryBias,
  kGatesX,
  kGatesBias,
  kQueryHidden,
  kGatesRecurrent,
  kOutput,
  kOutputBias,
  kPair,
  kPairBias,
  kAttentionScale,
  kAttentionShift,
  kCellScale,
  kCellShift,
  kHiddenScale,
  kHiddenShift,
  kKeyScale,
  kKeyShift,
  kValueScale,
  kValueShift,
  kInputs
};
enum Output { kNextKeys = kCommonOutputs, kNextValues, kNextFilled, kOutputs };

// Attributes and constant inputs. What it points to belongs to the session.
Parameters read_parameters(const Ort::ConstKernelInfo& info);

}  // namespace larnn
