package main

import "github.com/spf13/cobra"

func newDoctorCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "doctor", RunE: func(*cobra.Command, []string) error { _, err := a.settings(); return err }}
}
