"""Where and when something was measured, in words."""

import datetime
import os
import platform


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release()}"


def machine_and_date():
    return f"{datetime.date.today()}, {machine()}"
