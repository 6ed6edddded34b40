// The inputs and outputs of a LARNN layer, and what is read once, when a kernel is made.
#pragma once

#include "kernel.h"

namespace larnn {

// The inputs, in the order of the node. Those after kFilled are constant.
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

// Reads attributes and constant inputs. The memory to which the result points belongs to the
// session.
Parameters read_parameters(const Ort::ConstKernelInfo& info);

}  // namespace larnn
