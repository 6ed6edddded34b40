// An LSTM layer as an onnxruntime custom operator: larnn.lstm.LstmLayer, version 1. It is ONNX's
// own LSTM with the batch axis first, and it reads and writes rows of a state that stays in place.
#include "kernel.h"

namespace larnn {
namespace {

// The constant inputs, in the order of the node's inputs.
enum Constant { kFromX = kCommonInputs, kFromHidden, kBias, kCount };

LstmParameters read_lstm(const Ort::ConstKernelInfo& info) {
  const auto n = info.GetAttribute<int64_t>("hidden_size");
  const auto inputs = info.GetAttribute<int64_t>("input_size");
  if (n < 1 || inputs < 1) refuse("hidden_size and input_size must be positive");
  LstmParameters p{};
  p.inputs = static_cast<int>(inputs);
  p.n = static_cast<int>(n);
  p.from_x = constant(info, kFromX, "from_x", {1, 4 * n, inputs});
  p.from_hidden = constant(info, kFromHidden, "from_hidden", {1, 4 * n, n});
  p.bias = constant(info, kBias, "bias", {1, 8 * n});
  return p;
}

class LstmKernel : public LayerKernel<LstmKernel> {
 public:
  static constexpr const char* kName = "LstmLayer";
  static constexpr size_t kInputs = kCount, kRequired = kCount, kOutputs = kCommonOutputs;
  static bool input_counts(size_t) { return false; }
  static bool output_counts(size_t) { return false; }

  explicit LstmKernel(const Ort::ConstKernelInfo& info) : LstmKernel(read_lstm(info)) {}

  Run open(const Ort::KernelContext& context) const {
    Run run;
    open_common(context, inputs_, n_, run);
    return run;
  }

 private:
  explicit LstmKernel(const LstmParameters& p)
      : LayerKernel(choose_level().make_lstm(p)), inputs_(p.inputs), n_(p.n) {}

  int64_t inputs_, n_;
};

}  // namespace

const OrtCustomOp& lstm_operator() {
  static const Operator<LstmKernel> made;
  return made;
}

}  // namespace larnn
