// A LARNN layer as an onnxruntime custom operator: larnn.LarnnLayer, version 1.
#include "kernel.h"
#include "parameters.h"

namespace larnn {
namespace {

class LarnnKernel : public LayerKernel<LarnnKernel> {
 public:
  static constexpr const char* kName = "LarnnLayer";
  static constexpr size_t kInputs = larnn::kInputs, kRequired = kAttentionScale,
                          kOutputs = larnn::kOutputs;
  static bool input_counts(size_t index) { return index == kFilled; }
  static bool output_counts(size_t index) { return index == kNextFilled; }

  explicit LarnnKernel(const Ort::ConstKernelInfo& info) : LarnnKernel(read_parameters(info)) {}

  Run open(const Ort::KernelContext& context) const {
    Run run;
    Batch& batch = run.batch;
    const int64_t stored = open_common(context, n_, n_, run);
    const Shape queue{stored, k_, n_};
    batch.keys = input<float>(context, kKeys, "keys", queue);
    batch.values = input<float>(context, kValues, "values", queue);
    batch.filled = input<int64_t>(context, kFilled, "filled", {stored});
    for (int row = 0; row < batch.rows; ++row)
      if (batch.filled[batch.from[row]] < 0 || batch.filled[batch.from[row]] > k_)
        refuse("filled must be from 0 to window_size");
    batch.next_keys = output<float>(context, kNextKeys, queue);
    batch.next_values = output<float>(context, kNextValues, queue);
    batch.next_filled = output<int64_t>(context, kNextFilled, {stored});
    return run;
  }

 private:
  explicit LarnnKernel(const Parameters& p)
      : LayerKernel(choose_level().make_larnn(p)), n_(p.n), k_(p.window_size) {}

  int64_t n_, k_;
};

}  // namespace

const OrtCustomOp& larnn_operator() {
  static const Operator<LarnnKernel> made;
  return made;
}

}  // namespace larnn
