// An LSTM layer as an onnxruntime custom operator: larnn.lstm.LstmLayer, version 1. ONNX's own
// LSTM with the batch first, and with rows of a state that stays where it is.
#include "kernel.h"

namespace larnn {
namespace {

class LstmKernel {
 public:
  // In the order of the node's inputs; what follows kCell is constant.
  enum Input { kHidden = kRowInputs, kCell, kFromX, kFromHidden, kBias, kCount };
  enum Output { kHiddens, kNextHidden, kNextCell, kOutputCount };

  static constexpr const char* kName = "LstmLayer";
  static constexpr size_t kInputs = kCount, kRequired = kCount, kOutputs = kOutputCount;
  static bool input_counts(size_t) { return false; }
  static bool output_counts(size_t) { return false; }

  explicit LstmKernel(const Ort::ConstKernelInfo& info)
      : n_(info.GetAttribute<int64_t>("hidden_size")),
        inputs_(info.GetAttribute<int64_t>("input_size")) {
    if (n_ < 1 || inputs_ < 1) refuse("hidden_size and input_size must be positive");
    LstmParameters p{};
    p.inputs = static_cast<int>(inputs_);
    p.n = static_cast<int>(n_);
    p.from_x = constant(info, kFromX, "from_x", {1, 4 * n_, inputs_});
    p.from_hidden = constant(info, kFromHidden, "from_hidden", {1, 4 * n_, n_});
    p.bias = constant(info, kBias, "bias", {1, 8 * n_});
    layer_ = choose_level().make_lstm(p);
  }

  OrtStatusPtr ComputeV2(OrtKernelContext* raw) const {
    return guarded(kName, [&] {
      const Ort::KernelContext context(raw);
      const Run run = open(context);
      run_tiles(context, *layer_, run.batch);
    });
  }

 private:
  Run open(const Ort::KernelContext& context) const {
    Run run;
    Batch& batch = run.batch;
    const int64_t stored = open_rows(context, static_cast<int>(inputs_), kHidden, run);
    const Shape state{stored, n_};
    batch.hidden = input<float>(context, kHidden, "hidden", state);
    batch.cell = input<float>(context, kCell, "cell", state);
    batch.hiddens = output<float>(context, kHiddens, {batch.rows, batch.steps, n_});
    batch.next_hidden = output<float>(context, kNextHidden, state);
    batch.next_cell = output<float>(context, kNextCell, state);
    return run;
  }

  int64_t n_, inputs_;
  std::unique_ptr<Layer> layer_;
};

}  // namespace

const OrtCustomOp& lstm_operator() {
  static const Operator<LstmKernel> made;
  return made;
}

}  // namespace larnn
