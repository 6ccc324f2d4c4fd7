#include "dashboard/panels/events_panel.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QScrollBar>
#include <QVBoxLayout>
#include <array>

#include "dashboard/panels/table_look.h"

namespace duet::dashboard {

namespace {

class EventFilter : public QSortFilterProxyModel {
 public:
  using QSortFilterProxyModel::QSortFilterProxyModel;
  void set_text(const QString& text) {
    text_ = text.trimmed();
    invalidateFilter();
  }
  void set_least(int severity) {
    least_ = severity;
    invalidateFilter();
  }

 protected:
  bool filterAcceptsRow(int row, const QModelIndex& parent) const override {
    const auto at = [&](int column) { return sourceModel()->index(row, column, parent); };
    if (at(0).data(EventModel::kSeverityRole).toInt() < least_) return false;
    if (text_.isEmpty()) return true;
    for (const int column : {EventModel::kKind, EventModel::kWorker, EventModel::kText}) {
      if (at(column).data().toString().contains(text_, Qt::CaseInsensitive)) return true;
    }
    return false;
  }

 private:
  QString text_;
  int least_ = 0;
};

}  // namespace

EventsPanel::EventsPanel(EventModel& model, Selection& selection, QWidget* parent)
    : QWidget(parent),
      filter_(new QLineEdit(this)),
      severities_(new QComboBox(this)),
      table_(new QTableView(this)) {
  auto* proxy = new EventFilter(this);
  proxy_ = proxy;
  proxy->setSourceModel(&model);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(4, 2, 4, 4);
  layout->setSpacing(4);
  auto* bar = new QHBoxLayout;
  filter_->setPlaceholderText(tr("Filter events"));
  filter_->setClearButtonEnabled(true);
  filter_->setAccessibleName(tr("Filter events"));
  severities_->addItem(tr("everything"), 0);
  severities_->addItem(tr("warnings and errors"), 1);
  severities_->addItem(tr("errors"), 2);
  severities_->setAccessibleName(tr("Severity"));
  bar->addWidget(filter_, 1);
  bar->addWidget(severities_);
  layout->addLayout(bar);
  layout->addWidget(table_, 1);

  table_->setModel(proxy);
  table_->setAccessibleName(tr("Events"));
  table_->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  constexpr std::array<const char*, 4> kWidest{"0:00:00.0", "warning", "worker straggling", "1000 – 1001"};
  set_table_look(*table_, kWidest, 16);

  connect(filter_, &QLineEdit::textChanged, this, [proxy](const QString& text) { proxy->set_text(text); });
  connect(severities_, &QComboBox::currentIndexChanged, this,
          [this, proxy] { proxy->set_least(severities_->currentData().toInt()); });
  connect(proxy, &QAbstractItemModel::rowsAboutToBeInserted, this, [this] {
    const QScrollBar* bar_now = table_->verticalScrollBar();
    at_end_ = bar_now->value() >= bar_now->maximum() - 1;
  });
  connect(proxy, &QAbstractItemModel::rowsInserted, this, [this] {
    if (at_end_) table_->scrollToBottom();
  });
  connect(table_, &QTableView::activated, this, [&selection](const QModelIndex& at) {
    if (const int rank = at.data(EventModel::kRankRole).toInt(); rank >= 0) selection.focus(rank);
  });
}

}  // namespace duet::dashboard
