package main

func main() {} // serves nothing yet
