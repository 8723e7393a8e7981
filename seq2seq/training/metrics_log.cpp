// metrics.jsonl and summary.json; keys keep their order, so that people can read the files.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/training/metrics_log.h>

#include <cerrno>
#include <cstring>
#include <sstream>

namespace weft {
namespace {

bool is_up_to(const std::string& line, int64_t step, int64_t validated_step) {
  const bool validation = line.find("\"valid_loss\"") != std::string::npos;
  try {
    return integer_at(parse_json(line), "step") <= (validation ? validated_step : step);
  } catch (const Error&) {
    return false;  // a crash cut it off
  }
}

const std::filesystem::path& cut_off_after(const std::filesystem::path& file, int64_t step,
                                           int64_t validated_step) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return file;
  const std::string before = read_file(file);
  std::istringstream lines(before);
  std::string kept;
  for (std::string line; std::getline(lines, line);)
    if (is_up_to(line, step, validated_step)) kept.append(line).append("\n");
  if (kept != before) write_file(file, kept);
  return file;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& file, int64_t step, int64_t validated_step)
    : file_(file),
      out_(cut_off_after(file, step, validated_step), std::ios::binary | std::ios::app) {
  check(out_.is_open(), "MetricsLog: cannot open '{}': {}", file.string(), std::strerror(errno));
}

void MetricsLog::write(const TrainingRecord& record) {
  JsonObject line{{"step", record.step},
                  {"epoch", record.epoch},
                  {"loss", record.loss},
                  {"tokens_per_second", record.tokens_per_second},
                  {"learning_rate", record.learning_rate},
                  {"gradient_norm", record.gradient_norm},
                  {"seconds", record.seconds}};
  if (record.skipped > 0) line.emplace_back("skipped", record.skipped);
  write_line(line);
}

void MetricsLog::write(const ValidationRecord& record) {
  write_line({{"step", record.step},
              {"seconds", record.seconds},
              {"valid_loss", record.valid_loss},
              {record.metric, record.score}});
}

void MetricsLog::write_line(const JsonObject& line) {
  std::error_code ignored;  // of what is not a file, and cannot be cut
  const auto whole = std::filesystem::file_size(file_, ignored);
  out_ << to_json_line(line) << '\n' << std::flush;
  if (out_.good()) return;
  const std::string reason = std::strerror(errno);
  out_.close();  // else it would try to write the rest again
  if (std::filesystem::is_regular_file(file_, ignored))
    std::filesystem::resize_file(file_, whole, ignored);
  fail("MetricsLog: cannot write '{}': {}", file_.string(), reason);
}

void write_summary(const std::filesystem::path& file, const Summary& summary) {
  JsonObject json{{"task", summary.task},
                  {"steps", summary.steps},
                  {"seconds", summary.seconds},
                  {"parameters", summary.parameters},
                  {"tokens_per_second", summary.tokens_per_second},
                  {"checkpoint_step", summary.checkpoint_step},
                  {"metric", summary.metric},
                  {"valid_score", summary.valid_score}};
  json.insert(json.end(), summary.scores.begin(), summary.scores.end());
  write_file(file, to_json_text(json));
}

}  // namespace weft
