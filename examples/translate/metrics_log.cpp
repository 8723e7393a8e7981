// metrics.jsonl and summary.json; keys keep their order, so that people can read the files.
#include <examples/translate/metrics_log.h>
#include <examples/translate/text_file.h>
#include <weft/core/check.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

namespace translate {

using Json = nlohmann::ordered_json;

MetricsLog::MetricsLog(const std::filesystem::path& file)
    : file_(file), out_(file, std::ios::binary | std::ios::app) {
  weft::check(out_.is_open(), "MetricsLog: cannot open '{}': {}", file.string(),
              std::strerror(errno));
}

void MetricsLog::write(const TrainingRecord& record) {
  const Json line{{"step", record.step},
                  {"epoch", record.epoch},
                  {"loss", record.loss},
                  {"tokens_per_second", record.tokens_per_second},
                  {"learning_rate", record.learning_rate},
                  {"gradient_norm", record.gradient_norm},
                  {"seconds", record.seconds}};
  write_line(line.dump());
}

void MetricsLog::write(const ValidationRecord& record) {
  const Json line{{"step", record.step},
                  {"seconds", record.seconds},
                  {"valid_loss", record.valid_loss},
                  {"bleu", record.bleu}};
  write_line(line.dump());
}

void MetricsLog::write_line(const std::string& line) {
  out_ << line << '\n' << std::flush;
  weft::check(out_.good(), "MetricsLog: cannot write '{}': {}", file_.string(),
              std::strerror(errno));
}

void write_summary(const std::filesystem::path& file, const Summary& summary) {
  Json json{{"task", summary.task},
            {"steps", summary.steps},
            {"seconds", summary.seconds},
            {"parameters", summary.parameters},
            {"tokens_per_second", summary.tokens_per_second}};
  for (const auto& score : summary.scores) json[score.first] = score.second;
  write_file(file, json.dump(2) + "\n");
}

}  // namespace translate
