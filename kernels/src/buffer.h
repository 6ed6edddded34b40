// An array of floats that starts at a cache line and is zero at first.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace larnn::LARNN_LEVEL {

class Buffer {
 public:
  explicit Buffer(size_t count) {
    const size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
    data_ = static_cast<float*>(std::aligned_alloc(64, bytes + 64));
    if (data_ == nullptr) throw std::bad_alloc();
    std::memset(data_, 0, bytes + 64);
  }
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  float* data() { return data_; }
  const float* data() const { return data_; }
  const float& operator[](size_t index) const { return data_[index]; }

 private:
  float* data_;
};

}  // namespace larnn::LARNN_LEVEL
