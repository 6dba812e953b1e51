import ArgumentParser
@main struct Megalith: ParsableCommand {}
