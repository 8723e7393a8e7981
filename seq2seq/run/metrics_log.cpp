// metrics.jsonl and summary.json; keys keep their order, so that people can read the files.
#include <weft/seq2seq/run/metrics_log.h>
#include <weft/seq2seq/text/text_file.h>

namespace weft {
namespace {

bool is_up_to(const JsonObject& line, int64_t step, int64_t validated_step) {
  return integer_at(line, "step") <= (has(line, "valid_loss") ? validated_step : step);
}

}  // namespace

Scalars scalars_of(const TrainingRecord& record) {
  Scalars scalars{{"train/loss", record.loss},
                  {"train/tokens_per_second", record.tokens_per_second},
                  {"train/learning_rate", record.learning_rate},
                  {"train/gradient_norm", record.gradient_norm}};
  if (record.skipped > 0) scalars.emplace_back("train/skipped", record.skipped);
  return scalars;
}

Scalars scalars_of(const ValidationRecord& record) {
  return {{"valid/loss", record.valid_loss}, {"valid/" + record.metric, record.score}};
}

MetricsLog::MetricsLog(const std::filesystem::path& file, int64_t step, int64_t validated_step)
    : log_(file, [=](const JsonObject& line) { return is_up_to(line, step, validated_step); }) {}

void MetricsLog::write(const TrainingRecord& record) {
  JsonObject line{{"step", record.step},
                  {"epoch", record.epoch},
                  {"loss", record.loss},
                  {"tokens_per_second", record.tokens_per_second},
                  {"learning_rate", record.learning_rate},
                  {"gradient_norm", record.gradient_norm},
                  {"seconds", record.seconds}};
  if (record.skipped > 0) line.emplace_back("skipped", record.skipped);
  log_.write(line);
}

void MetricsLog::write(const ValidationRecord& record) {
  log_.write({{"step", record.step},
              {"seconds", record.seconds},
              {"valid_loss", record.valid_loss},
              {record.metric, record.score}});
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
