// Layers of any sizes with random parameters.
#pragma once

#include <random>
#include <vector>

#include "layer.h"

using Floats = std::vector<float>;

inline Floats random_floats(size_t count, unsigned seed, float scale) {
  std::minstd_rand generator(seed + 1);
  std::uniform_real_distribution<float> values(-scale, scale);
  Floats result(count);
  for (float& value : result) value = values(generator);
  return result;
}

// Random numbers, and parameters that point to them.
struct Numbers {
  const float* make(size_t count) {
    numbers.push_back(random_floats(count, static_cast<unsigned>(numbers.size()), 0.2f));
    return numbers.back().data();
  }

  std::vector<Floats> numbers;
};

struct Sizes {
  int n, heads, window_size;
  larnn::Norm norm;
};

struct Network : Numbers {
  explicit Network(Sizes sizes) {
    const size_t n = sizes.n;
    p.n = sizes.n;
    p.heads = sizes.heads;
    p.window_size = sizes.window_size;
    p.norm = sizes.norm;
    p.activate = true;
    p.epsilon = 1e-5f;
    p.query_x = make(n * n);
    p.query_bias = make(n);
    p.gates_x = make(4 * n * n);
    p.gates_bias = make(4 * n);
    p.query_hidden = make(n * n);
    p.gates_recurrent = make(8 * n * n);
    p.output = make(n * n);
    p.output_bias = make(n);
    p.pair = make(2 * n * n);
    p.pair_bias = make(2 * n);
    if (sizes.norm == larnn::Norm::kNone) return;
    for (larnn::Scaling* each : {&p.attention, &p.cell, &p.hidden, &p.key, &p.value})
      *each = {make(n), make(n)};
  }

  larnn::Parameters p{};
};

struct LstmSizes {
  int inputs, n;
};

struct LstmNetwork : Numbers {
  explicit LstmNetwork(LstmSizes sizes) {
    const size_t inputs = sizes.inputs, n = sizes.n;
    p.inputs = sizes.inputs;
    p.n = sizes.n;
    p.from_x = make(4 * n * inputs);
    p.from_hidden = make(4 * n * n);
    p.bias = make(8 * n);
  }

  larnn::LstmParameters p{};
};
