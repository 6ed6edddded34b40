// The layer as an onnxruntime custom operator: larnn.LarnnLayer, version 1.
#include "operator.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "parameters.h"

namespace larnn {
namespace {

// No exception leaves the library: onnxruntime may be built with another C++ runtime.
template <typename Work>
OrtStatusPtr guarded(const Work& work) {
  try {
    work();
  } catch (const std::exception& error) {
    return Ort::GetApi().CreateStatus(ORT_INVALID_ARGUMENT, error.what());
  }
  return nullptr;
}

class Kernel {
 public:
  explicit Kernel(const Ort::ConstKernelInfo& info) : Kernel(read_parameters(info)) {}

  OrtStatusPtr ComputeV2(OrtKernelContext* raw) const {
    return guarded([&] { compute(raw); });
  }

 private:
  void compute(OrtKernelContext* raw) const {
    const Ort::KernelContext context(raw);
    const Run run = open(context);
    const Batch& batch = run.batch;
    // Longest first: rows that are done leave their tile from its end.
    std::vector<int> rows(batch.rows);
    std::iota(rows.begin(), rows.end(), 0);
    std::stable_sort(rows.begin(), rows.end(),
                     [&](int a, int b) { return batch.lengths[a] > batch.lengths[b]; });
    Tiles tiles{*layer_, batch, rows};
    context.ParallelFor(run_tile, (rows.size() + kTileRows - 1) / kTileRows, 0, &tiles);
  }

  // A batch, and the row numbers that it points to.
  struct Run {
    Batch batch{};
    std::vector<int64_t> each;
  };

  struct Tiles {
    const Layer& layer;
    const Batch& batch;
    const std::vector<int>& rows;
  };

  explicit Kernel(const Parameters& p)
      : n_(p.n), k_(p.window_size), layer_(choose_level().make_layer(p)) {}

  static void run_tile(void* data, size_t tile) {
    const Tiles& tiles = *static_cast<const Tiles*>(data);
    const size_t from = tile * kTileRows,
                 count = std::min<size_t>(kTileRows, tiles.rows.size() - from);
    tiles.layer.run(tiles.batch, tiles.rows.data() + from, static_cast<int>(count));
  }

  template <typename T>
  static const T* input(const Ort::KernelContext& context, Input index, const char* name,
                        const Shape& shape) {
    const Ort::ConstValue value = context.GetInput(index);
    expect(name, value.GetTensorTypeAndShapeInfo().GetShape(), shape);
    return value.GetTensorData<T>();
  }

  template <typename T>
  static T* output(const Ort::KernelContext& context, Output index, const Shape& shape) {
    return context.GetOutput(index, shape).GetTensorMutableData<T>();
  }

  Run open(const Ort::KernelContext& context) const {
    const auto shape = context.GetInput(kX).GetTensorTypeAndShapeInfo().GetShape();
    if (shape.size() != 3 || shape[2] != n_)
      refuse("x is " + text(shape) + ", expected [batch, steps, " + std::to_string(n_) + "]");
    Run run;
    Batch& batch = run.batch;
    const int64_t rows = shape[0], steps = shape[1];
    batch.rows = static_cast<int>(rows);
    batch.steps = static_cast<int>(steps);
    batch.x = input<float>(context, kX, "x", shape);
    batch.lengths = input<int64_t>(context, kLengths, "lengths", {rows});
    const int64_t stored = place(context, run);
    const Shape state{stored, n_}, queue{stored, k_, n_};
    batch.hidden = input<float>(context, kHidden, "hidden", state);
    batch.cell = input<float>(context, kCell, "cell", state);
    batch.keys = input<float>(context, kKeys, "keys", queue);
    batch.values = input<float>(context, kValues, "values", queue);
    batch.filled = input<int64_t>(context, kFilled, "filled", {stored});
    for (int row = 0; row < batch.rows; ++row) {
      if (batch.lengths[row] < 0 || batch.lengths[row] > steps)
        refuse("lengths must be from 0 to the number of steps");
      if (batch.filled[batch.from[row]] < 0 || batch.filled[batch.from[row]] > k_)
        refuse("filled must be from 0 to window_size");
    }
    batch.hiddens = output<float>(context, kHiddens, shape);
    batch.next_hidden = output<float>(context, kNextHidden, state);
    batch.next_cell = output<float>(context, kNextCell, state);
    batch.next_keys = output<float>(context, kNextKeys, queue);
    batch.next_values = output<float>(context, kNextValues, queue);
    batch.next_filled = output<int64_t>(context, kNextFilled, {stored});
    return run;
  }

  // Fills in where each row's state is and goes; returns how many rows the state tensors have.
  static int64_t place(const Ort::KernelContext& context, Run& run) {
    Batch& batch = run.batch;
    const auto given = context.GetInput(kRows).GetTensorTypeAndShapeInfo().GetShape();
    if (given == Shape{0}) {
      run.each.resize(batch.rows);
      std::iota(run.each.begin(), run.each.end(), 0);
      batch.from = batch.to = run.each.data();
      return batch.rows;
    }
    batch.from = input<int64_t>(context, kRows, "rows", {batch.rows});
    batch.to = input<int64_t>(context, kNextRows, "next_rows", {batch.rows});
    const auto shape = context.GetInput(kFilled).GetTensorTypeAndShapeInfo().GetShape();
    const int64_t stored = shape.empty() ? 0 : shape[0];
    run.each.assign(batch.to, batch.to + batch.rows);
    std::sort(run.each.begin(), run.each.end());
    if (std::adjacent_find(run.each.begin(), run.each.end()) != run.each.end())
      refuse("next_rows must differ from each other");
    for (int row = 0; row < batch.rows; ++row) {
      for (int64_t index : {batch.from[row], batch.to[row]})
        if (index < 0 || index >= stored) refuse("rows and next_rows must be rows of the state");
      if (std::binary_search(run.each.begin(), run.each.end(), batch.from[row]))
        refuse("no row may be among both rows and next_rows");
    }
    return stored;
  }

  int64_t n_, k_;
  std::unique_ptr<Layer> layer_;
};

struct Operator : Ort::CustomOpBase<Operator, Kernel, true> {
  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const {
    return guarded([&] { *kernel = new Kernel(Ort::ConstKernelInfo(info)); });
  }
  const char* GetName() const { return "LarnnLayer"; }
  size_t GetInputTypeCount() const { return kInputs; }
  ONNXTensorElementDataType GetInputType(size_t index) const {
    return index == kLengths || index == kRows || index == kNextRows || index == kFilled
               ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64
               : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t index) const {
    return index >= kAttentionScale ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  }
  size_t GetOutputTypeCount() const { return kOutputs; }
  ONNXTensorElementDataType GetOutputType(size_t index) const {
    return index == kNextFilled ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64
                                : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
};

}  // namespace

void register_operator(OrtSessionOptions* options) {
  static const Operator layer;
  static const Ort::CustomOpDomain domain = [] {
    Ort::CustomOpDomain made("larnn");
    made.Add(&layer);
    return made;
  }();
  Ort::UnownedSessionOptions(options).Add(domain);
}

}  // namespace larnn
