// The operator's inputs and outputs, and what is read once, when a kernel is made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layer.h"
#include "operator.h"

namespace larnn {

// In the order of the node's inputs; what follows kFilled is constant.
enum Input {
  kX,
  kLengths,
  kRows,
  kNextRows,
  kHidden,
  kCell,
  kKeys,
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
enum Output { kHiddens, kNextHidden, kNextCell, kNextKeys, kNextValues, kNextFilled, kOutputs };

using Shape = std::vector<int64_t>;

// Throw std::invalid_argument, which the operator hands to onnxruntime as its status.
[[noreturn]] void refuse(const std::string& what);
void expect(const char* name, const Shape& found, const Shape& want);
std::string text(const Shape& shape);

// Attributes and constant inputs. What it points to belongs to the session.
Parameters read_parameters(const Ort::ConstKernelInfo& info);

}  // namespace larnn
