#include "dashboard/window/connect_dialog.h"

#include <QDialogButtonBox>
#include <QFormLayout>
#include <QVBoxLayout>

#include "duet/observer/source.h"

namespace duet::dashboard {

ConnectDialog::ConnectDialog(const QStringList& recent, const Theme& theme, QWidget* parent)
    : QDialog(parent),
      theme_(theme),
      field_(new QComboBox(this)),
      secret_(new QLineEdit(this)),
      hint_(new QLabel(this)) {
  setWindowTitle(tr("Connect to a run"));
  auto* layout = new QVBoxLayout(this);
  auto* about = new QLabel(tr("The telemetry address of any one worker; the others are found through it. The "
                              "dashboard only reads."),
                           this);
  about->setWordWrap(true);
  layout->addWidget(about);
  auto* form = new QFormLayout;
  field_->setEditable(true);
  field_->setInsertPolicy(QComboBox::NoInsert);
  field_->addItems(recent);
  field_->setMinimumWidth(320);
  field_->lineEdit()->setPlaceholderText(QStringLiteral("127.0.0.1:%1").arg(observer::kTelemetryPort));
  if (recent.isEmpty()) field_->setEditText(QStringLiteral("127.0.0.1:%1").arg(observer::kTelemetryPort));
  form->addRow(tr("&Address"), field_);
  secret_->setEchoMode(QLineEdit::Password);
  secret_->setPlaceholderText(tr("only where the run has one"));
  form->addRow(tr("&Secret"), secret_);
  layout->addLayout(form);
  hint_->setWordWrap(true);
  hint_->setMinimumHeight(fontMetrics().height() * 2);
  layout->addWidget(hint_);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
  connect_ = buttons->addButton(tr("&Connect"), QDialogButtonBox::AcceptRole);
  connect_->setDefault(true);
  layout->addWidget(buttons);
  connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(field_, &QComboBox::editTextChanged, this, &ConnectDialog::check);
  field_->lineEdit()->selectAll();
  check();
}

QString ConnectDialog::address() const {
  const auto address = observer::parse_address(field_->currentText().trimmed().toStdString());
  return address ? QString::fromStdString(address->text()) : QString();
}

void ConnectDialog::check() {
  const QString typed = field_->currentText().trimmed();
  std::string reason;
  const auto address = observer::parse_address(typed.toStdString(), &reason);
  connect_->setEnabled(address.has_value());
  Tone tone = Tone::kAbsent;
  QString text;
  if (typed.isEmpty()) {
    text = tr("host, or host:port (without a port: %1)").arg(observer::kTelemetryPort);
  } else if (address) {
    text = tr("✓ %1").arg(QString::fromStdString(address->text()));
    tone = Tone::kGood;
  } else {
    text = QStringLiteral("✕ ") + QString::fromStdString(reason);
    tone = Tone::kBad;
  }
  hint_->setText(text);
  QPalette palette = hint_->palette();
  palette.setColor(QPalette::WindowText, theme_.tone(tone));
  hint_->setPalette(palette);
}

}  // namespace duet::dashboard
