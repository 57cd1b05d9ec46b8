"""What should the HPA ask for, given what the engine can say?"""
