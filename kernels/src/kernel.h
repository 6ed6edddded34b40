// What the kernels of both operators share: a layer, the rows of a batch, and where their state is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "layer.h"
#include "operator.h"

namespace larnn {

using Shape = std::vector<int64_t>;

// These throw std::invalid_argument, which the operator returns to onnxruntime as its status.
[[noreturn]] void refuse(const std::string& what);
void expect(const char* name, const Shape& found, const Shape& want);
std::string text(const Shape& shape);

Shape shape_of(const Ort::KernelContext& context, int input);

template <typename T>
const T* input(const Ort::KernelContext& context, int index, const char* name, const Shape& shape) {
  const Ort::ConstValue value = context.GetInput(index);
  expect(name, value.GetTensorTypeAndShapeInfo().GetShape(), shape);
  return value.GetTensorData<T>();
}

template <typename T>
T* output(const Ort::KernelContext& context, int index, const Shape& shape) {
  return context.GetOutput(index, shape).GetTensorMutableData<T>();
}

// A constant input, which is read once.
const float* constant(const Ort::ConstKernelInfo& info, int input, const char* name,
                      const Shape& shape);

// The inputs that all layers have first: x [batch, steps, inputs], lengths [batch], the rows of the
// state tensors that a run reads and writes (empty if the state tensors have one row for each row
// of x), and the first two state tensors. And the outputs.
enum CommonInput { kX, kLengths, kRows, kNextRows, kHidden, kCell, kCommonInputs };
enum CommonOutput { kHiddens, kNextHidden, kNextCell, kCommonOutputs };

// A batch, and the memory of the row numbers to which it points.
struct Run {
  Batch batch{};
  std::vector<int64_t> each;
};

// Reads and checks these for a layer with so many inputs and hidden size n. Returns the number of
// rows of the state tensors.
int64_t open_common(const Ort::KernelContext& context, int64_t inputs, int64_t n, Run& run);

// Runs all rows of the batch, in tiles, on the session's threads.
void run_tiles(const Ort::KernelContext& context, const Layer& layer, const Batch& batch);

// Turns exceptions into a status. None may leave the library, since onnxruntime may be built with
// another C++ runtime.
template <typename Work>
OrtStatusPtr guarded(const char* operator_name, const Work& work) {
  try {
    work();
  } catch (const std::exception& error) {
    const std::string what = std::string(operator_name) + ": " + error.what();
    return Ort::GetApi().CreateStatus(ORT_INVALID_ARGUMENT, what.c_str());
  }
  return nullptr;
}

// A kernel, by a class with `open`, which reads the inputs of a run of its layer.
template <typename Kernel>
class LayerKernel {
 public:
  OrtStatusPtr ComputeV2(OrtKernelContext* raw) const {
    return guarded(Kernel::kName, [&] {
      const Ort::KernelContext context(raw);
      const Run run = static_cast<const Kernel*>(this)->open(context);
      run_tiles(context, *layer_, run.batch);
    });
  }

 private:
  friend Kernel;
  explicit LayerKernel(std::unique_ptr<Layer> layer) : layer_(std::move(layer)) {}

  std::unique_ptr<Layer> layer_;
};

// An operator, by its kernel class, which names it and describes its inputs and outputs.
template <typename Kernel>
struct Operator : Ort::CustomOpBase<Operator<Kernel>, Kernel, true> {
  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const {
    return guarded(Kernel::kName, [&] { *kernel = new Kernel(Ort::ConstKernelInfo(info)); });
  }
  const char* GetName() const { return Kernel::kName; }
  size_t GetInputTypeCount() const { return Kernel::kInputs; }
  ONNXTensorElementDataType GetInputType(size_t index) const {
    return (index > kX && index < kHidden) || Kernel::input_counts(index)
               ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64
               : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t index) const {
    return index >= Kernel::kRequired ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  }
  size_t GetOutputTypeCount() const { return Kernel::kOutputs; }
  ONNXTensorElementDataType GetOutputType(size_t index) const {
    return Kernel::output_counts(index) ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64
                                        : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
};

}  // namespace larnn
