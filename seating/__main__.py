from seating.cli import main

main()
