# tries: raises SystemExit while it is loaded
# screening: error
# confirmation: error
raise SystemExit("no more candidates")
