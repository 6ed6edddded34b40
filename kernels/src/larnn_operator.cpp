// A LARNN layer as an onnxruntime custom operator: larnn.LarnnLayer, version 1.
#include "kernel.h"
#include "parameters.h"

namespace larnn {
namespace {

class LarnnKernel {
 public:
  static constexpr const char* kName = "LarnnLayer";
  static constexpr size_t kInputs = larnn::kInputs, kRequired = kAttentionScale,
                          kOutputs = larnn::kOutputs;
  static bool input_counts(size_t index) { return index == kFilled; }
  static bool output_counts(size_t index) { return index == kNextFilled; }

  explicit LarnnKernel(const Ort::ConstKernelInfo& info) : LarnnKernel(read_parameters(info)) {}

  OrtStatusPtr ComputeV2(OrtKernelContext* raw) const {
    return guarded(kName, [&] {
      const Ort::KernelContext context(raw);
      const Run run = open(context);
      run_tiles(context, *layer_, run.batch);
    });
  }

 private:
  explicit LarnnKernel(const Parameters& p)
      : n_(p.n), k_(p.window_size), layer_(choose_level().make_larnn(p)) {}

  Run open(const Ort::KernelContext& context) const {
    Run run;
    Batch& batch = run.batch;
    const int64_t stored = open_rows(context, static_cast<int>(n_), kFilled, run);
    const Shape state{stored, n_}, queue{stored, k_, n_};
    batch.hidden = input<float>(context, kHidden, "hidden", state);
    batch.cell = input<float>(context, kCell, "cell", state);
    batch.keys = input<float>(context, kKeys, "keys", queue);
    batch.values = input<float>(context, kValues, "values", queue);
    batch.filled = input<int64_t>(context, kFilled, "filled", {stored});
    for (int row = 0; row < batch.rows; ++row)
      if (batch.filled[batch.from[row]] < 0 || batch.filled[batch.from[row]] > k_)
        refuse("filled must be from 0 to window_size");
    batch.hiddens = output<float>(context, kHiddens, shape_of(context, kX));
    batch.next_hidden = output<float>(context, kNextHidden, state);
    batch.next_cell = output<float>(context, kNextCell, state);
    batch.next_keys = output<float>(context, kNextKeys, queue);
    batch.next_values = output<float>(context, kNextValues, queue);
    batch.next_filled = output<int64_t>(context, kNextFilled, {stored});
    return run;
  }

  int64_t n_, k_;
  std::unique_ptr<Layer> layer_;
};

}  // namespace

const OrtCustomOp& larnn_operator() {
  static const Operator<LarnnKernel> made;
  return made;
}

}  // namespace larnn
