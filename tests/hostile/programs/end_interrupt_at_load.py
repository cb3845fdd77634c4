# tries: raises KeyboardInterrupt while it is loaded
# screening: error
# confirmation: error
raise KeyboardInterrupt
