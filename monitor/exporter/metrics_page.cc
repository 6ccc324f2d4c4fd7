#include "metrics_page.h"

#include <prometheus/text_serializer.h>

#include <sstream>
#include <utility>

#include "worker_metrics.h"

namespace duet::exporter {

std::string metrics_page(std::vector<prometheus::MetricFamily> families) {
  for (auto& family : process_metrics())
    families.push_back(std::move(family));
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace duet::exporter
