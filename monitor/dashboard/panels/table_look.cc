#include "dashboard/panels/table_look.h"

#include <QFontMetrics>
#include <QHeaderView>
#include <cstddef>

namespace duet::dashboard {

void set_table_look(QTableView& table, std::span<const char* const> widest, int padding) {
  table.setSelectionBehavior(QAbstractItemView::SelectRows);
  table.setAlternatingRowColors(true);
  table.setShowGrid(false);
  table.setWordWrap(false);
  table.setTabKeyNavigation(false);
  table.verticalHeader()->hide();
  table.verticalHeader()->setDefaultSectionSize(table.fontMetrics().height() + 5);
  QHeaderView* header = table.horizontalHeader();
  header->setHighlightSections(false);
  header->setStretchLastSection(true);
  const QFontMetrics metrics(table.parentWidget()->font());
  for (std::size_t column = 0; column < widest.size(); ++column) {
    header->resizeSection(static_cast<int>(column),
                          metrics.horizontalAdvance(QString::fromUtf8(widest[column])) + padding);
  }
}

}  // namespace duet::dashboard
