// The queue of keys and values of one row during a run: which memory is read and written when.
//
// Nothing is moved or copied while steps run. A queue always consists of two pieces, each with the
// oldest slot first: what is left of `older`, and what entered since. At first `older` is the run's
// input, read in place. What enters is written to its final place in the output if at most
// window_size steps are left, and otherwise into a ring.
#pragma once

#include "attention.h"
#include "layer.h"

namespace larnn::LARNN_LEVEL {

class Queue {
 public:
  Queue() = default;

  // `ring` has room for 2 · window_size · n floats.
  Queue(const Batch& batch, int row, int n, int window_size, float* ring)
      : n_(n), k_(window_size), left_(static_cast<int>(batch.lengths[row])), ring_(ring) {
    const size_t from = batch.from[row] * slot(k_), to = batch.to[row] * slot(k_);
    older_keys_ = batch.keys + from;
    older_values_ = batch.values + from;
    next_keys_ = batch.next_keys + to;
    next_values_ = batch.next_values + to;
    empty_ = k_ - static_cast<int>(batch.filled[batch.from[row]]);
    start_piece();
  }

  Slots older() const {
    const int from = entered_ < empty_ ? empty_ : entered_;
    return {older_keys_ + slot(from), older_values_ + slot(from), k_ - from};
  }
  Slots newer() const { return {newer_keys_, newer_values_, entered_}; }

  // Where the next key and value are to be written. Call `advance` after that.
  float* key() { return newer_keys_ + slot(entered_); }
  float* value() { return newer_values_ + slot(entered_); }

  void advance() {
    ++entered_;
    --left_;
    if (entered_ < k_ || left_ == 0) return;
    older_keys_ = newer_keys_;
    older_values_ = newer_values_;
    empty_ = 0;
    start_piece();
  }

  // After the last step: copies what is left of the older piece before the newer one.
  void finish() {
    std::memcpy(next_keys_, older_keys_ + slot(entered_), sizeof(float) * slot(k_ - entered_));
    std::memcpy(next_values_, older_values_ + slot(entered_), sizeof(float) * slot(k_ - entered_));
  }

 private:
  size_t slot(int index) const { return static_cast<size_t>(index) * n_; }

  // A step reads slot i of the older piece for the last time before it writes slot i of the newer
  // one. Both pieces may therefore be the ring.
  void start_piece() {
    entered_ = 0;
    const bool last = left_ <= k_;
    newer_keys_ = last ? next_keys_ + slot(k_ - left_) : ring_;
    newer_values_ = last ? next_values_ + slot(k_ - left_) : ring_ + slot(k_);
  }

  int n_ = 0, k_ = 0, left_ = 0, entered_ = 0, empty_ = 0;
  float* ring_ = nullptr;
  const float *older_keys_ = nullptr, *older_values_ = nullptr;
  float *newer_keys_ = nullptr, *newer_values_ = nullptr;
  float *next_keys_ = nullptr, *next_values_ = nullptr;
};

}  // namespace larnn::LARNN_LEVEL
