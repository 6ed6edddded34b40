// No text makes the readers of numbers, requests and chunks, and no room the writer of answers,
// leave their memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "answers.h"
#include "chunks.h"
#include "network.h"
#include "numbers.h"
#include "requests.h"

// A text with random damage, in memory that ends where the text does.
inline std::vector<char> damaged(const std::string& good, std::mt19937& random) {
  const std::string damage = "[[]],,..--+eE0159 x\"";
  std::vector<char> text(good.begin(), good.end() - static_cast<int>(random() % 3));
  for (auto hits = random() % 4; hits > 0; --hits) {
    const auto place = text.begin() + static_cast<int>(random() % text.size());
    if (random() % 3 == 0)
      text.erase(place);
    else
      *place = damage[random() % damage.size()];
  }
  text.shrink_to_fit();
  return text;
}

inline void numbers(std::mt19937& random) {
  const std::string good =
      R"([[[1, -2.5e-3], [0.1257302165031433, 1E5]], [[-0, 123456789012345678]]] )";
  int taken = 0;
  for (int round = 0; round < 50'000; ++round) {
    const std::vector<char> text = damaged(good, random);
    Floats values(random() % 9);
    std::vector<int64_t> steps(random() % 4);
    const char* end = text.data() + text.size();
    larnn::Sequences found;
    const larnn::Room room{values.data(), values.size(), steps.data(), steps.size()};
    if (!larnn::read_sequences(text.data(), end, room, found)) continue;
    ++taken;
    const auto rows =
        std::accumulate(steps.begin(), steps.begin() + int64_t(found.count), int64_t{});
    if (found.end > end || size_t(rows) * found.width > values.size())
      throw std::runtime_error("more than there is");
  }
  if (taken == 0) throw std::runtime_error("no text was taken");
}

inline void requests(std::mt19937& random) {
  const std::string before = "POST / HTTP/1.1\r\ncontent-length: ", after = "\r\n\r\n",
                    npy = "NPY\n";
  const std::string json =
      R"({"model": "m", "sequences": [[[1, 2.5], [3e1, -4]]], "logits": true})";
  const std::string file = npy + std::string("\0\0\x80\x3f\0\0\0\x40", 8);
  int taken[2] = {0, 0};
  for (int round = 0; round < 50'000; ++round) {
    const bool binary = random() % 2 == 0;
    const std::string& body = binary ? file : json;
    std::string good = before;
    good.append(std::to_string(body.size())).append(after).append(body);
    const std::vector<char> text =
        random() % 8 == 0 ? std::vector<char>(good.begin(), good.end()) : damaged(good, random);
    const larnn::Head head{before.data(),
                           int64_t(before.size()),
                           after.data(),
                           int64_t(after.size()),
                           binary ? npy.data() : nullptr,
                           int64_t(npy.size()),
                           1,
                           2};
    Floats values(random() % 6);
    larnn::Found found;
    const larnn::Request request{text.data(), int64_t(text.size()), &head};
    if (!larnn::read_request(request, values.data(), int64_t(values.size()), found)) continue;
    ++taken[binary];
    const int64_t size = int64_t(text.size()) - found.body;
    if (found.steps * found.channels > int64_t(values.size()) || found.before > size ||
        found.behind > size || size < 0)
      throw std::runtime_error("more than there is");
  }
  if (taken[0] == 0 || taken[1] == 0) throw std::runtime_error("no request was taken");
}

inline void writing(std::mt19937& random) {
  const char* labels[] = {"\"A\"", "\"BB\""};
  const char* frame[] = {"HEAD ", "\r\n\r\n", "{", "}"};
  const uint8_t with_logits[] = {0, 1};
  int whole = 0;
  for (int round = 0; round < 50'000; ++round) {
    Floats logits(4);
    for (float& logit : logits) {
      const auto bits = static_cast<uint32_t>(random());
      std::memcpy(&logit, &bits, sizeof bits);
      if (!std::isfinite(logit)) logit = 0;
    }
    std::vector<char> text(random() % 400);
    std::vector<int64_t> ends(4);
    const int64_t size = larnn_write_answers(2, 2, logits.data(), labels, frame, with_logits,
                                             text.data(), int64_t(text.size()), ends.data());
    if (size > int64_t(text.size()) || (size > 0 && ends[3] != size))
      throw std::runtime_error("more than there is");
    const std::vector<int64_t> places = {int64_t(random()), 0, 7, 7};
    const int64_t frames =
        larnn_write_predictions(2, 2, logits.data(), labels, places.data(), with_logits,
                                text.data(), int64_t(text.size()), ends.data());
    if (frames > int64_t(text.size()) || (frames > 0 && ends[1] != frames))
      throw std::runtime_error("more than there is");
    whole += size > 0 && frames > 0;
  }
  if (whole == 0) throw std::runtime_error("no answer was written");
}

inline void chunks(std::mt19937& random) {
  const std::string json = R"({"type": "chunk", "offset": 12, "steps": [[1, 2.5], [3e1, -4]]})";
  const std::string binary("\7\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\x40", 16);
  int taken[2] = {0, 0};
  for (int round = 0; round < 50'000; ++round) {
    const bool is_text = random() % 2 == 0;
    const std::string mask(4, static_cast<char>(random()));
    std::string message = is_text ? json : binary;
    if (random() % 2 == 0) {
      const std::vector<char> worse = damaged(message, random);
      message.assign(worse.begin(), worse.end());
    }
    std::string frame = {static_cast<char>(is_text ? 0x81 : 0x82),
                         static_cast<char>(0x80 + message.size())};
    frame += mask;
    for (const char byte : message) frame += static_cast<char>(byte ^ mask[0]);
    const std::vector<char> data =
        random() % 4 ? std::vector<char>(frame.begin(), frame.end()) : damaged(frame, random);
    Floats values(random() % 6);
    std::vector<char> text(data.size());
    larnn::FoundChunk found;
    const larnn::ChunkRoom room{values.data(), values.size(), text.data()};
    if (!larnn::read_chunk(data.data(), data.size(), 100, room, found)) continue;
    ++taken[is_text];
    if (found.count > int64_t(values.size()) || found.end > int64_t(text.size()))
      throw std::runtime_error("more than there is");
  }
  if (taken[0] == 0 || taken[1] == 0) throw std::runtime_error("no chunk was taken");
}

inline void texts(unsigned seed) {
  std::mt19937 random(seed);
  numbers(random);
  requests(random);
  chunks(random);
  writing(random);
}
