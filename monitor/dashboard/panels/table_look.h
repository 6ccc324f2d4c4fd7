#pragma once

#include <QTableView>
#include <span>

namespace duet::dashboard {

/// How the tables of the panels look. Columns are as wide as the `widest` text that may come (UTF-8, one for
/// each, the last may be left out), in the panel's font, and `padding` pixels more: nothing dances when
/// digits change. Once the table has its model and its panel.
void set_table_look(QTableView& table, std::span<const char* const> widest, int padding);

}  // namespace duet::dashboard
