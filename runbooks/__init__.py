"""Operations on what runs, as steps on a journal: each can be killed anywhere, and goes on where it was."""
