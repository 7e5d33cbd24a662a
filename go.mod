module github.com/datadis-engine/datadis

go 1.26.7
