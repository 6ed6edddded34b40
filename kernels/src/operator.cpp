// The layer as an onnxruntime custom operator: larnn.LarnnLayer, version 1.
#include "operator.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "layer.h"

namespace larnn {
namespace {

// In the order of the node's inputs; what follows kFilled is constant.
enum Input {
  kX, kLengths, kHidden, kCell, kKeys, kValues, kFilled,
  kQueryX, kQueryBias, kGatesX, kGatesBias, kQueryHidden, kGatesRecurrent, kOutput, kOutputBias,
  kPair, kPairBias, kAttentionScale, kAttentionShift, kCellScale, kCellShift, kHiddenScale,
  kHiddenShift, kKeyScale, kKeyShift, kValueScale, kValueShift, kInputs
};
enum Output { kHiddens, kNextHidden, kNextCell, kNextKeys, kNextValues, kNextFilled, kOutputs };

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("larnn.LarnnLayer: " + what);
}

std::string text(const std::vector<int64_t>& shape) {
  std::string result = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    result += (i ? ", " : "") + std::to_string(shape[i]);
  return result + "]";
}

void expect(const char* name, const std::vector<int64_t>& found, const std::vector<int64_t>& want) {
  if (found != want) refuse(std::string(name) + " is " + text(found) + ", expected " + text(want));
}

const float* constant(const Ort::ConstKernelInfo& info, int input, const char* name,
                      const std::vector<int64_t>& shape) {
  int is_constant = 0;
  const Ort::ConstValue value = info.GetTensorConstantInput(input, &is_constant);
  if (!is_constant) refuse(std::string(name) + " must be a constant");
  expect(name, value.GetTensorTypeAndShapeInfo().GetShape(), shape);
  return value.GetTensorData<float>();
}

// Two inputs, scale and shift [n], where the layer has that norm.
Scaling scaling(const Ort::ConstKernelInfo& info, int input, const char* name, bool wanted,
                int64_t n) {
  if (!wanted) return {};
  return {constant(info, input, (std::string(name) + "_scale").c_str(), {n}),
          constant(info, input + 1, (std::string(name) + "_shift").c_str(), {n})};
}

Norm norm_of(const std::string& name) {
  if (name == "none") return Norm::kNone;
  if (name == "affine") return Norm::kAffine;
  if (name == "layer") return Norm::kLayer;
  refuse("normalisation is '" + name + "', expected none, affine or layer");
}

Parameters read(const Ort::ConstKernelInfo& info) {
  Parameters p{};
  const auto n64 = info.GetAttribute<int64_t>("hidden_size");
  p.n = static_cast<int>(n64);
  p.heads = static_cast<int>(info.GetAttribute<int64_t>("heads"));
  p.window_size = static_cast<int>(info.GetAttribute<int64_t>("window_size"));
  p.norm = norm_of(info.GetAttribute<std::string>("normalisation"));
  p.activate = info.GetAttribute<int64_t>("activate_keys_values") != 0;
  p.epsilon = info.GetAttribute<float>("epsilon");
  if (p.n < 1 || p.heads < 1 || p.window_size < 1 || p.n % p.heads != 0)
    refuse("hidden_size must be a positive multiple of heads, and window_size positive");
  p.query_x = constant(info, kQueryX, "query_x", {n64, n64});
  p.query_bias = constant(info, kQueryBias, "query_bias", {n64});
  p.gates_x = constant(info, kGatesX, "gates_x", {n64, 4 * n64});
  p.gates_bias = constant(info, kGatesBias, "gates_bias", {4 * n64});
  p.query_hidden = constant(info, kQueryHidden, "query_hidden", {n64, n64});
  p.gates_recurrent = constant(info, kGatesRecurrent, "gates_recurrent", {2 * n64, 4 * n64});
  p.output = constant(info, kOutput, "output", {n64, n64});
  p.output_bias = constant(info, kOutputBias, "output_bias", {n64});
  p.pair = constant(info, kPair, "pair", {n64, 2 * n64});
  p.pair_bias = constant(info, kPairBias, "pair_bias", {2 * n64});
  p.attention = scaling(info, kAttentionScale, "attention", p.norm == Norm::kLayer, n64);
  p.cell = scaling(info, kCellScale, "cell", p.norm != Norm::kNone, n64);
  p.hidden = scaling(info, kHiddenScale, "hidden", p.norm != Norm::kNone, n64);
  const bool entering = p.norm != Norm::kNone && p.activate;
  p.key = scaling(info, kKeyScale, "key", entering, n64);
  p.value = scaling(info, kValueScale, "value", entering, n64);
  return p;
}

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
  explicit Kernel(const Ort::ConstKernelInfo& info) : Kernel(read(info)) {}

  OrtStatusPtr ComputeV2(OrtKernelContext* raw) const {
    return guarded([&] { compute(raw); });
  }

 private:
  void compute(OrtKernelContext* raw) const {
    const Ort::KernelContext context(raw);
    const Batch batch = open(context);
    // Longest first: rows that are done leave their tile from its end.
    std::vector<int> rows(batch.rows);
    std::iota(rows.begin(), rows.end(), 0);
    std::stable_sort(rows.begin(), rows.end(),
                     [&](int a, int b) { return batch.lengths[a] > batch.lengths[b]; });
    Tiles tiles{*layer_, batch, rows};
    context.ParallelFor(run_tile, (rows.size() + kTileRows - 1) / kTileRows, 0, &tiles);
  }

  struct Tiles {
    const Layer& layer;
    const Batch& batch;
    const std::vector<int>& rows;
  };

  explicit Kernel(const Parameters& p)
      : n_(p.n), k_(p.window_size), layer_(choose_level().make_layer(p)) {}

  static void run_tile(void* data, size_t tile) {
    const Tiles& tiles = *static_cast<const Tiles*>(data);
    const size_t from = tile * kTileRows, count = std::min<size_t>(kTileRows, tiles.rows.size() - from);
    tiles.layer.run(tiles.batch, tiles.rows.data() + from, static_cast<int>(count));
  }

  template <typename T>
  static const T* input(const Ort::KernelContext& context, Input index, const char* name,
                        const std::vector<int64_t>& shape) {
    const Ort::ConstValue value = context.GetInput(index);
    expect(name, value.GetTensorTypeAndShapeInfo().GetShape(), shape);
    return value.GetTensorData<T>();
  }

  template <typename T>
  static T* output(const Ort::KernelContext& context, Output index,
                   const std::vector<int64_t>& shape) {
    return context.GetOutput(index, shape).GetTensorMutableData<T>();
  }

  Batch open(const Ort::KernelContext& context) const {
    const auto shape = context.GetInput(kX).GetTensorTypeAndShapeInfo().GetShape();
    if (shape.size() != 3 || shape[2] != n_) refuse("x is " + text(shape) + ", expected [batch, steps, " + std::to_string(n_) + "]");
    const int64_t rows = shape[0], steps = shape[1];
    const std::vector<int64_t> state{rows, n_}, queue{rows, k_, n_};
    Batch batch{};
    batch.rows = static_cast<int>(rows);
    batch.steps = static_cast<int>(steps);
    batch.x = input<float>(context, kX, "x", shape);
    batch.lengths = input<int64_t>(context, kLengths, "lengths", {rows});
    batch.hidden = input<float>(context, kHidden, "hidden", state);
    batch.cell = input<float>(context, kCell, "cell", state);
    batch.keys = input<float>(context, kKeys, "keys", queue);
    batch.values = input<float>(context, kValues, "values", queue);
    batch.filled = input<int64_t>(context, kFilled, "filled", {rows});
    batch.hiddens = output<float>(context, kHiddens, shape);
    batch.next_hidden = output<float>(context, kNextHidden, state);
    batch.next_cell = output<float>(context, kNextCell, state);
    batch.next_keys = output<float>(context, kNextKeys, queue);
    batch.next_values = output<float>(context, kNextValues, queue);
    batch.next_filled = output<int64_t>(context, kNextFilled, {rows});
    for (int row = 0; row < batch.rows; ++row) {
      if (batch.lengths[row] < 0 || batch.lengths[row] > steps)
        refuse("lengths must be from 0 to the number of steps");
      if (batch.filled[row] < 0 || batch.filled[row] > k_)
        refuse("filled must be from 0 to window_size");
    }
    return batch;
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
    return index == kLengths || index == kFilled ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64
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
