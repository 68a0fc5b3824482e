package qualys
