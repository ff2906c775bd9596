"""Plans and evaluates PromQL over blocks with numpy.  Asks a ``SampleSource``; knows no I/O."""
