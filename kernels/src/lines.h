// Lines: rows of floats, in memory that a thread keeps from run to run.
#pragma once

#include <memory>

#include "buffer.h"
#include "product.h"

namespace larnn::LARNN_LEVEL {

// One line of floats for each row of a tile.
struct Lines {
  float* data = nullptr;
  size_t stride = 0;

  float* operator[](int row) const { return data + row * stride; }
  Rows rows() const { return {data, stride}; }
};

// Memory that this thread keeps. It only grows, and its contents have no meaning in the next run.
inline float* thread_memory(size_t count) {
  thread_local std::unique_ptr<Buffer> memory;
  thread_local size_t size = 0;
  if (size < count) {
    memory.reset();
    size = 0;
    memory = std::make_unique<Buffer>(count);
    size = count;
  }
  return memory->data();
}

// Divides memory into lines, one after the other.
class Cutter {
 public:
  explicit Cutter(size_t count) : next_(thread_memory(count)) {}

  Lines lines(int count, size_t stride) {
    const Lines result{next_, stride};
    next_ += count * stride;
    return result;
  }

 private:
  float* next_;
};

}  // namespace larnn::LARNN_LEVEL
