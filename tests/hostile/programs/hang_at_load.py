# tries: never finishes loading
# screening: timeout
# confirmation: timeout
while True:
    pass
