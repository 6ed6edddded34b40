// Softmax, numbers and answers as text; the door for Python (service/larnn_service/backend/responses.py).
#include "answers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace larnn {

using std::string_view;

void Writer::put(string_view text) {
  if (over_ || static_cast<size_t>(end_ - at_) < text.size()) {
    over_ = true;
    return;
  }
  std::memcpy(at_, text.data(), text.size());
  at_ += text.size();
}

void Writer::put(double number) {
  char text[40];
  const auto [end, _] =
      std::to_chars(text, text + sizeof text, number, std::chars_format::scientific);
  const bool negative = text[0] == '-';
  const char* mantissa = text + negative;
  const char* e = std::find(mantissa, static_cast<const char*>(end), 'e');
  int exponent = 0;
  std::from_chars(e + (e[1] == '+' ? 2 : 1), end, exponent);
  char digits[24] = {mantissa[0]};
  const size_t more = e - mantissa > 2 ? e - mantissa - 2 : 0;
  std::memcpy(digits + 1, mantissa + 2, more);
  if (number == 0) exponent = 0;
  put_digits(string_view(digits, 1 + more), exponent + 1, negative);
}

// The point stands behind so many of the digits.
void Writer::put_digits(string_view digits, int point, bool negative) {
  constexpr int kMost = 16, kLeast = -4;
  const int count = static_cast<int>(digits.size());
  std::string text = negative ? "-" : "";
  if (point > 0 && point <= kMost) {
    text += digits.substr(0, std::min(point, count));
    text.append(std::max(point - count, 0), '0');
    text += '.';
    text += point < count ? digits.substr(point) : string_view("0");
  } else if (point <= 0 && point >= kLeast) {
    text += "0.";
    text.append(-point, '0');
    text += digits;
  } else {
    text += digits[0];
    if (count > 1) (text += '.') += digits.substr(1);
    (text += 'e') += std::to_string(point - 1);
  }
  put(text);
}

void softmax(const float* logits, size_t classes, double* probabilities) {
  const double largest = *std::max_element(logits, logits + classes);
  double total = 0;
  for (size_t i = 0; i < classes; ++i) {
    probabilities[i] = std::exp(static_cast<double>(logits[i]) - largest);
    total += probabilities[i];
  }
  for (size_t i = 0; i < classes; ++i) probabilities[i] /= total;
}

namespace {

// What one row of logits says, as members of a JSON object; the labels are JSON strings.
void put_answer(Writer& writer, const float* logits, const std::vector<string_view>& labels,
                bool with_logits, std::vector<double>& probabilities) {
  const size_t classes = labels.size();
  softmax(logits, classes, probabilities.data());
  writer.put("\"label\":");
  writer.put(labels[std::max_element(logits, logits + classes) - logits]);
  writer.put(",\"probabilities\":");
  for (size_t i = 0; i < classes; ++i) {
    writer.put(i == 0 ? "{" : ",");
    writer.put(labels[i]);
    writer.put(":");
    writer.put(probabilities[i]);
  }
  writer.put("}");
  for (size_t i = 0; with_logits && i < classes; ++i) {
    writer.put(i == 0 ? ",\"logits\":[" : ",");
    writer.put(static_cast<double>(logits[i]));
  }
  if (with_logits) writer.put("]");
}

// The head of a server's frame with so many bytes of text.
void put_frame_head(Writer& writer, size_t size) {
  constexpr char kFinalText = '\x81';
  constexpr size_t kShort = 126, kLong = size_t{1} << 16;
  const int bytes = size < kShort ? 0 : size < kLong ? 2 : 8;
  char head[10] = {kFinalText, static_cast<char>(bytes == 0 ? size : bytes == 2 ? 126 : 127)};
  for (int i = 0; i < bytes; ++i) head[2 + i] = static_cast<char>(size >> (8 * (bytes - 1 - i)));
  writer.put(string_view(head, 2 + bytes));
}

}  // namespace
}  // namespace larnn

extern "C" __attribute__((visibility("default"))) int64_t larnn_write_answers(
    int64_t rows, int64_t classes, const float* logits, const char* const* labels,
    const char* const* frame, const uint8_t* with_logits, char* text, int64_t most, int64_t* ends) {
  using std::string_view;
  const std::vector<string_view> names(labels, labels + classes);
  const string_view head = frame[0], tail = frame[1], before = frame[2], after = frame[3];
  std::vector<double> probabilities(classes);
  std::vector<char> body(most);
  larnn::Writer writer(text, text + most);
  for (int64_t row = 0; row < rows; ++row) {
    larnn::Writer answer(body.data(), body.data() + most);
    answer.put(before);
    answer.put("{");
    larnn::put_answer(answer, logits + row * classes, names, with_logits[row] != 0, probabilities);
    answer.put("}");
    answer.put(after);
    const size_t size = answer.at() - body.data();
    writer.put(head);
    writer.put(std::to_string(size));
    writer.put(tail);
    ends[2 * row] = writer.at() - text;
    writer.put(string_view(body.data(), size));
    ends[2 * row + 1] = writer.at() - text;
    if (answer.over() || writer.over()) return 0;
  }
  return writer.at() - text;
}

extern "C" __attribute__((visibility("default"))) int64_t larnn_write_predictions(
    int64_t rows, int64_t classes, const float* logits, const char* const* labels,
    const int64_t* places, const uint8_t* with_logits, char* text, int64_t most, int64_t* ends) {
  using std::string_view;
  const std::vector<string_view> names(labels, labels + classes);
  std::vector<double> probabilities(classes);
  std::vector<char> body(most);
  larnn::Writer writer(text, text + most);
  for (int64_t row = 0; row < rows; ++row) {
    larnn::Writer answer(body.data(), body.data() + most);
    answer.put("{\"type\":\"prediction\",");
    larnn::put_answer(answer, logits + row * classes, names, with_logits[row] != 0, probabilities);
    answer.put(",\"position\":");
    answer.put(std::to_string(places[2 * row]));
    answer.put(",\"durable\":");
    answer.put(std::to_string(places[2 * row + 1]));
    answer.put("}");
    const size_t size = answer.at() - body.data();
    larnn::put_frame_head(writer, size);
    writer.put(string_view(body.data(), size));
    ends[row] = writer.at() - text;
    if (answer.over() || writer.over()) return 0;
  }
  return writer.at() - text;
}
