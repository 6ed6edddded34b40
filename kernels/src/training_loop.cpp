// The loop of training.h, compiled once for each level of vector instructions.
#include <cmath>
#include <vector>

#include "layer.h"
#include "over_time.h"
#include "product.h"
#include "training.h"
#include "training_attention.h"

namespace larnn::LARNN_LEVEL {
namespace {

// Derivatives by what the activation gave.
Vec elu_slope(Vec activated) { return activated > 0.0f ? broadcast(1.0f) : activated + 1.0f; }
Vec sigmoid_slope(Vec activated) { return activated * (1.0f - activated); }
Vec tanh_slope(Vec activated) { return 1.0f - activated * activated; }

// The way back of weights [outputs, inputs].
Matrix backward_matrix(const float* weights, int outputs, int inputs) {
  return {outputs, weights, inputs};
}

// What both passes share: where things are, and attention over the window of a step.
class Pass : public TrainingPass {
 protected:
  explicit Pass(const Training& training)
      : t_(training),
        n_(training.n),
        k_(training.window_size),
        size_(padded(training.n)),
        over_heads_(training.heads),
        attend_(attention_for(vectors(training.n))) {}

  size_t step(int row, int at) const { return static_cast<size_t>(row) * t_.steps + at; }
  size_t state(int row, int at) const {
    return (static_cast<size_t>(row) * (t_.steps + 1) + at) * n_;
  }
  size_t slot(int row, int at) const {
    return (static_cast<size_t>(row) * (k_ + t_.steps) + at) * size_;
  }
  float* weights(int row, int at) const { return t_.weights + step(row, at) * k_ * kLanes; }
  int seen(int row, int at) const {
    const int64_t filled = t_.filled[row] + at;
    return filled < k_ ? static_cast<int>(filled) : k_;
  }

  // The last `count` of the slots before step `at`. With positions they are made here, in scratch
  // of 2 · k · size floats, else they are where they are.
  Window window(int row, int at, int count, float* scratch) const {
    const size_t first = slot(row, at + k_ - count);
    if (t_.positions == nullptr) return {t_.keys + first, t_.values + first, count};
    const size_t of_values = static_cast<size_t>(k_) * size_;
    for (int i = 0; i < count; ++i) {
      const float* position = t_.positions + static_cast<size_t>(2) * (k_ - count + i) * n_;
      place(t_.keys + first + i * size_, position, scratch + i * size_);
      place(t_.values + first + i * size_, position + n_, scratch + of_values + i * size_);
    }
    return {scratch, scratch + of_values, count};
  }

  void place(const float* projected, const float* position, float* to) const {
    each(n_, [&](int i) { return activated(load(projected + i) + load_first(position, i)); }, to);
  }
  Vec activated(Vec x) const { return t_.activate ? elu(x) : x; }
  Vec slope(Vec activated) const { return t_.activate ? elu_slope(activated) : broadcast(1.0f); }

  // Those of n floats from i on: what follows them is not read.
  Vec load_first(const float* from, int i) const {
    return n_ - i >= kLanes ? load(from + i) : load(from + i, first(n_ - i));
  }

  const Training& t_;
  int n_, k_, size_;
  OverHeads over_heads_;
  AttentionWays attend_;
};

// A row of floats for each of the tile's rows, zero at first.
class Scratch {
 public:
  explicit Scratch(size_t width)
      : stride(padded(static_cast<int>(width))), data_(kTileRows * stride) {}
  float* operator[](int row) { return data_.data() + row * stride; }
  Rows rows(int from = 0) { return {data_.data() + from, stride}; }
  const size_t stride;

 private:
  Buffer data_;
};

class Forward final : public Pass {
 public:
  explicit Forward(const Training& training)
      : Pass(training),
        query_scale_(kLog2E * std::sqrt(static_cast<float>(training.heads) / n_)),
        recurrent_(transposed(training.recurrent, 5 * n_, n_)),
        attention_(transposed(training.attention, 4 * n_, n_)),
        output_(transposed(training.output, n_, n_)),
        pair_(transposed(training.pair, 2 * n_, n_)),
        output_bias_(size_),
        pair_bias_(padded(2 * n_)) {
    copy(output_bias_.data(), training.output_bias, n_);
    copy(pair_bias_.data(), training.pair_bias, 2 * n_);
  }

  void run(int first, int count) const override {
    Scratch sums(n_ + padded(4 * n_) + kLanes), query(n_), attended(n_), projected(n_);
    Scratch pair(2 * n_);
    Buffer slots(static_cast<size_t>(2) * k_ * size_);
    const size_t next = static_cast<size_t>(t_.steps + 1) * n_;
    for (int at = 0; at < t_.steps; ++at) {
      for (int i = 0; i < count; ++i)
        copy(sums[i], t_.from_x + step(first + i, at) * 5 * n_, 5 * n_);
      multiply(recurrent_, count, {t_.hiddens + state(first, at), next}, sums.rows(), sums[0],
               sums.stride);
      for (int i = 0; i < count; ++i) {
        const int row = first + i;
        float* kept = t_.query + step(row, at) * n_;
        each(n_, [&](int f) { return elu(load(sums[i] + f)); }, kept);
        each(n_, [&](int f) { return load_first(kept, f) * query_scale_; }, query[i]);
        attend_.forward(size_ / kLanes, over_heads_, query[i],
                        window(row, at, seen(row, at), slots.data()), weights(row, at),
                        attended[i]);
        copy(t_.attended + step(row, at) * n_, attended[i], n_);
      }
      multiply(output_, count, attended.rows(), {output_bias_.data(), 0}, projected[0],
               projected.stride);
      for (int i = 0; i < count; ++i) {
        each(n_, [&](int f) { return elu(load(projected[i] + f)); }, projected[i]);
        copy(t_.projected + step(first + i, at) * n_, projected[i], n_);
      }
      multiply(attention_, count, projected.rows(), sums.rows(n_), sums[0] + n_, sums.stride);
      for (int i = 0; i < count; ++i) move(sums[i] + n_, first + i, at);
      multiply(pair_, count, {t_.cells + state(first, at + 1), next}, {pair_bias_.data(), 0},
               pair[0], pair.stride);
      for (int i = 0; i < count; ++i) {
        enter(pair[i], t_.keys + slot(first + i, k_ + at));
        enter(pair[i] + n_, t_.values + slot(first + i, k_ + at));
      }
    }
  }

 private:
  void move(const float* sums, int row, int at) const {
    float* gates = t_.gates + step(row, at) * 4 * n_;
    const Vec one = broadcast(1.0f);
    for (int gate = 0; gate < 4; ++gate)
      each(
          n_,
          [&](int f) {
            const Vec x = load(sums + gate * n_ + f);
            if (gate != 2) return sigmoid_times(x, one);
            const Vec e = exp(min(10.0f, max(-10.0f, x)) * 2.0f);
            return (e - 1.0f) / (e + 1.0f);
          },
          gates + gate * n_);
    const float *i = gates, *f = i + n_, *g = f + n_, *o = g + n_;
    const float* cell = t_.cells + state(row, at);
    float* next_cell = t_.cells + state(row, at + 1);
    each(
        n_,
        [&](int at_f) {
          return load_first(f, at_f) * load_first(cell, at_f) +
                 load_first(i, at_f) * load_first(g, at_f);
        },
        next_cell);
    each(
        n_, [&](int at_f) { return load_first(o, at_f) * elu(load_first(next_cell, at_f)); },
        t_.hiddens + state(row, at + 1));
  }

  // A key or a value into the queue.
  void enter(const float* projected, float* to) const {
    if (t_.positions != nullptr) return copy(to, projected, n_);
    each(n_, [&](int f) { return activated(load(projected + f)); }, to);
  }

  float query_scale_;
  Matrix recurrent_, attention_, output_, pair_;
  Buffer output_bias_, pair_bias_;
};

class Backward final : public Pass {
 public:
  explicit Backward(const Training& training)
      : Pass(training),
        scale_(std::sqrt(static_cast<float>(training.heads) / n_)),
        recurrent_(backward_matrix(training.recurrent, 5 * n_, n_)),
        attention_(backward_matrix(training.attention, 4 * n_, n_)),
        output_(backward_matrix(training.output, n_, n_)),
        pair_(backward_matrix(training.pair, 2 * n_, n_)),
        zero_(size_) {}

  void run(int first, int count) const override {
    Scratch d_hidden(n_), d_cell(n_), d_pair(2 * n_), d_sums(5 * n_), d_attended(n_), d_raw(n_);
    Scratch query(n_), d_query(n_);
    Buffer slots(static_cast<size_t>(4 * size_ + kLanes) * k_);
    for (int i = 0; i < count; ++i) {
      copy(d_hidden[i], t_.d_hiddens + state(first + i, t_.steps), n_);
      copy(d_cell[i], t_.d_cells + state(first + i, t_.steps), n_);
    }
    for (int at = t_.steps - 1; at >= 0; --at) {
      for (int i = 0; i < count; ++i) leave(first + i, at, d_pair[i]);
      multiply(pair_, count, d_pair.rows(), d_cell.rows(), d_cell[0], d_cell.stride);
      for (int i = 0; i < count; ++i) move(first + i, at, d_hidden[i], d_cell[i], d_sums[i] + n_);
      multiply(attention_, count, d_sums.rows(n_), {zero_.data(), 0}, d_attended[0],
               d_attended.stride);
      for (int i = 0; i < count; ++i) {
        const float* projected = t_.projected + step(first + i, at) * n_;
        each(
            n_,
            [&](int f) { return load(d_attended[i] + f) * elu_slope(load_first(projected, f)); },
            d_attended[i]);
        copy(t_.d_projected + step(first + i, at) * n_, d_attended[i], n_);
      }
      multiply(output_, count, d_attended.rows(), {zero_.data(), 0}, d_raw[0], d_raw.stride);
      for (int i = 0; i < count; ++i) {
        const int row = first + i;
        const float* kept = t_.query + step(row, at) * n_;
        copy(query[i], kept, n_);
        attend(row, at, query[i], d_raw[i], slots.data(), d_query[i],
               t_.d_positions + static_cast<size_t>(first / kTileRows) * k_ * 2 * n_);
        each(
            n_, [&](int f) { return load(d_query[i] + f) * elu_slope(load_first(kept, f)); },
            d_sums[i]);
        copy(t_.d_from_x + step(row, at) * 5 * n_, d_sums[i], 5 * n_);
        copy(d_hidden[i], t_.d_hiddens + state(row, at), n_);
      }
      multiply(recurrent_, count, d_sums.rows(), d_hidden.rows(), d_hidden[0], d_hidden.stride);
    }
    for (int i = 0; i < count; ++i) {
      copy(t_.d_hiddens + state(first + i, 0), d_hidden[i], n_);
      copy(t_.d_cells + state(first + i, 0), d_cell[i], n_);
    }
  }

 private:
  // From the slot that step `at` filled to what was projected for it.
  void leave(int row, int at, float* d_pair) const {
    const size_t place = slot(row, k_ + at);
    const float* d[2] = {t_.d_keys + place, t_.d_values + place};
    const float* entered[2] = {t_.keys + place, t_.values + place};
    for (int half = 0; half < 2; ++half)
      each(
          n_,
          [&](int f) {
            const Vec gradient = load(d[half] + f);
            return t_.positions != nullptr ? gradient : gradient * slope(load(entered[half] + f));
          },
          d_pair + half * n_);
    copy(t_.d_pair + step(row, at) * 2 * n_, d_pair, 2 * n_);
  }

  // From hidden and cell state to the gates, and to the cell state before.
  void move(int row, int at, const float* d_hidden, float* d_cell, float* d_gates) const {
    const float* gates = t_.gates + step(row, at) * 4 * n_;
    const float *cell = t_.cells + state(row, at), *next_cell = t_.cells + state(row, at + 1);
    const float* d_before = t_.d_cells + state(row, at);
    for (int at_f = 0; at_f < n_; at_f += kLanes) {
      const auto gate = [&](int which) { return load_first(gates + which * n_, at_f); };
      const auto put = [&](int which, Vec value) {
        store(d_gates + which * n_ + at_f, value, first(n_ - at_f < kLanes ? n_ - at_f : kLanes));
      };
      const Vec i = gate(0), f = gate(1), g = gate(2), o = gate(3);
      const Vec activated = elu(load_first(next_cell, at_f)), d_h = load(d_hidden + at_f);
      const Vec d_c = load(d_cell + at_f) + d_h * o * elu_slope(activated);
      put(0, d_c * g * sigmoid_slope(i));
      put(1, d_c * load_first(cell, at_f) * sigmoid_slope(f));
      put(2, d_c * i * tanh_slope(g));
      put(3, d_h * activated * sigmoid_slope(o));
      store(d_cell + at_f, load_first(d_before, at_f) + d_c * f);
    }
  }

  // `scratch` has room for (4 · size + lanes) · k floats.
  void attend(int row, int at, const float* query, const float* d_attended, float* scratch,
              float* d_query, float* d_positions) const {
    const int count = seen(row, at);
    const size_t slots = static_cast<size_t>(k_) * size_, place = slot(row, at + k_ - count);
    const Window seen_slots = window(row, at, count, scratch);
    float *d_keys = t_.d_keys + place, *d_values = t_.d_values + place;
    if (t_.positions != nullptr) {
      d_keys = scratch + 2 * slots;
      d_values = scratch + 3 * slots;
      std::memset(d_keys, 0, 2 * slots * sizeof(float));
    }
    attend_.backward(size_ / kLanes, over_heads_, scale_, query, seen_slots, weights(row, at),
                     d_attended, scratch + 4 * slots, d_keys, d_values, d_query);
    if (t_.positions == nullptr) return;
    for (int i = 0; i < count; ++i) {
      float* d_position = d_positions + static_cast<size_t>(2) * (k_ - count + i) * n_;
      const size_t from = static_cast<size_t>(i) * size_;
      displace(d_keys + from, seen_slots.keys + from, t_.d_keys + place + from, d_position);
      displace(d_values + from, seen_slots.values + from, t_.d_values + place + from,
               d_position + n_);
    }
  }

  // From a slot with its position to the queue and to the position.
  void displace(const float* d, const float* entry, float* d_queue, float* d_position) const {
    for (int f = 0; f < n_; f += kLanes) {
      const Mask mask = first(n_ - f < kLanes ? n_ - f : kLanes);
      const Vec gradient = load(d + f, mask) * slope(load(entry + f, mask));
      store(d_queue + f, load(d_queue + f, mask) + gradient, mask);
      store(d_position + f, load(d_position + f, mask) + gradient, mask);
    }
  }

  float scale_;
  Matrix recurrent_, attention_, output_, pair_;
  Buffer zero_;
};

}  // namespace

std::unique_ptr<TrainingPass> make_pass(const Training& training, bool back) {
  if (back) return std::make_unique<Backward>(training);
  return std::make_unique<Forward>(training);
}

}  // namespace larnn::LARNN_LEVEL
