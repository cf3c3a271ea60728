from seating.cli.main import main

main()
